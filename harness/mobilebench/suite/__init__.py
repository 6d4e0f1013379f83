"""The suite file and the policy: what to compare, and what is allowed."""
