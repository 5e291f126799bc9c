"""What did the work cost, how did it go over time, and are the project's rules kept?"""
