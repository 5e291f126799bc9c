"""What a project is: its configuration and models, what they compile to, and the graph of its steps."""
