# SPDX-License-Identifier: Apache-2.0
"""RA-TLS 1.3: the secure channel for programs that speak TLS (docs/specs/ra-tls.md).

certificate   a fresh key, and evidence about it in its certificate
peer          what one end accepts at the other
connection    TLS, then evidence bound to this very connection; bytes in, bytes out
stream        the same over a socket
server        an `http.server` behind it

Needs the extra `tls` (pyOpenSSL).
"""
