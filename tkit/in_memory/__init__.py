"""Models and data that are objects of the user's own program: read, checked, and recorded beside the runs."""
