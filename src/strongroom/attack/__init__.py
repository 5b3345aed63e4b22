# SPDX-License-Identifier: Apache-2.0
"""The attack suite: every route that is known to a secret, really tried (HW-1, HW-4).

route    what a route is, how it can end     table   every route, what is known
target   what is attacked, where it is       room    the process that is attacked
actor    a process that attacks, as a user   arena   who is who; starts and ends all
report   results beside what is known        bench   the machine of a host who attacks

What the routes do, a family a module: `memory` and `debugger`, `process`, `planted`
(files), `abuse` (of the gate), `bombs`, `freshness` and `devices` (what was sealed),
`messages`, `paths`. `app` plants secrets: the one part that runs in an enclave.
"""
