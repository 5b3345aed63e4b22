# SPDX-License-Identifier: Apache-2.0
"""The attack suite: every route that is known to a secret, really tried (HW-1, HW-4).

route    what a route is, and how it can end      table   all of them, with what is known
target   what is attacked, where it is            room    the process that is attacked
actor    a process that attacks, as one user      arena   who is who; starts and ends all

memory, process, planted, abuse, bombs, paths, freshness, channels: the
routes, one family a module. `app` is the bundle that plants secrets in an enclave.
Nothing here runs inside an enclave but that.
"""
