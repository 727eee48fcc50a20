//! What each DeploymentVersion comes to: inventory in, the objects to create and what became of it out.
//!
//! Pure: the same objects in give the same objects out, to the byte. It writes nothing and asks nothing.

pub mod merge;
