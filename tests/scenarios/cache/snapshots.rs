//! Snapshots that are there in part, and what else is in them.
