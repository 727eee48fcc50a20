//! Processes as pods: what a Deployment controller, a kubelet and an endpoints controller do in a cluster.
//!
//! Decisions are pure ([`rollout`], [`recipe`], [`variables`], [`readiness`]); [`life`] and what it uses
//! start, ask and end. It knows nothing of versions or routes.

mod family;
pub mod herd;
pub mod life;
pub mod objects;
pub mod ports;
mod probe;
mod process;
pub mod readiness;
pub mod recipe;
pub mod resources;
pub mod rollout;
pub mod supervise;
pub mod variables;
