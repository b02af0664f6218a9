"""What to paste into a shell."""

from typing import Final

__all__ = ["ADDRESS", "curl_lines"]

ADDRESS: Final = "http://localhost:8000"
_LINES: Final = r"""# 1. Login to get both tokens
curl -X POST -H "Content-Type: application/json" \
  -d '{"username":"test", "password":"test"}' \
  http://localhost:8000/login

# 2. Access protected route with access token
curl -H "Authorization: Bearer <access-token>" \
  http://localhost:8000/protected

# 3. When access token expires, use refresh token to get a new one
curl -X POST -H "Authorization: Bearer <refresh-token>" \
  http://localhost:8000/refresh

# 4. Use new access token
curl -H "Authorization: Bearer <new-access-token>" \
  http://localhost:8000/protected

# The answer to 3 has the next refresh token too. The old one gets the same answer again for 30 seconds;
# after that it ends the session, for somebody must have a copy.

# Where you are logged in, and how to end all of it
curl -H "Authorization: Bearer <new-access-token>" \
  http://localhost:8000/sessions
curl -X POST -H "Authorization: Bearer <new-access-token>" \
  http://localhost:8000/logout/all

# The same with cookies, from login to logout
jar=$(mktemp)
csrf() { awk -v name="csrf_$1_token" '$6 == name { print $7 }' "$jar"; }
curl -b "$jar" -c "$jar" -H "Content-Type: application/json" \
  -d '{"username":"test", "password":"test"}' http://localhost:8000/login
curl -b "$jar" http://localhost:8000/protected
curl -b "$jar" -c "$jar" -X POST -H "X-CSRF-TOKEN: $(csrf refresh)" http://localhost:8000/refresh
curl -b "$jar" http://localhost:8000/sessions
curl -b "$jar" -X POST -H "X-CSRF-TOKEN: $(csrf access)" http://localhost:8000/logout
# The jar still has them: a copy of the cookies is of no use after logout
curl -b "$jar" http://localhost:8000/protected
"""


def curl_lines(address: str = ADDRESS) -> str:
    """Return the shell lines that walk through the demo at an address."""
    return _LINES.replace(ADDRESS, address)
