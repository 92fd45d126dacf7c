//! Which files of a repository are wanted: by their names, by their quantisation, and what becomes of the others.

mod described;
mod left_out;
mod named;
mod nothing;
mod patterns;
mod quantised;
