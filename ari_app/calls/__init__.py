"""One call, from its arrival to its verdict; and the callback. The machines here are pure, the sessions are their shells."""
