//! Objects in, answers out.
