"""What starts runs by itself? Sensors over the sources and the state, and schedules."""
