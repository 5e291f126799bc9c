"""What would a selection run? In Python, as a job, and for a whole `dg` project."""
