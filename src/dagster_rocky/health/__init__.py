"""Is the engine fit to run, and does it say so before anything runs?"""
