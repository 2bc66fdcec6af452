//! Runs the repository's own commands: scrubbed environment, deadline, whole process tree under control.
