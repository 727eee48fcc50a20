//! Where `synkronic run` listens, by its own log: the kernel chose the ports, so nobody else can have them.

use std::net::SocketAddr;

/// Where it serves and where it tells of itself; nothing before it has said so.
pub fn listening(log: &str) -> Option<(SocketAddr, SocketAddr)> {
    log.lines().find_map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        let address = |name: &str| line[name].as_str()?.parse().ok();
        (line["message"] == "listening").then(|| address("serves").zip(address("admin")))?
    })
}
