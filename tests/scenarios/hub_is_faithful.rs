//! Proof that the test Hub is one: the real `hf` downloads from it.
