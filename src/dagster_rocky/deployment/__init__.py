"""What is different in a branch deployment? Where its runs write."""
