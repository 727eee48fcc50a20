//! How sockets are set up, so that what the kernel holds for a slow peer is bounded too.
//!
//! Left alone, the kernel lets the buffers of a connection that once was fast grow to several megabytes, and a
//! peer that then stops reading keeps them: ten thousand such peers take more than any limit of ours. Of what is
//! to be sent, no more than [`Limits::unsent`] waits in the kernel beyond what is on its way; the buffers for what
//! comes in do not grow beyond [`Limits::receive_buffer`]. The send buffer itself keeps growing with the path: a
//! client far away, with a long path to fill, would otherwise pay for it. It serves nobody.

use std::io;
use std::net::SocketAddr;

use socket2::SockRef;
use tokio::net::{TcpSocket, TcpStream};

use super::limits::Limits;

/// Binds a listener; port 0 lets the kernel choose. What it accepts inherits its options.
pub(crate) fn listen(address: SocketAddr, limits: &Limits) -> io::Result<std::net::TcpListener> {
    crate::listen::at(address, |socket| bound(&SockRef::from(socket), limits))
}

/// Sets up what was accepted.
pub(crate) fn accepted(stream: &TcpStream) {
    // Answers are written whole: none is to wait for the acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
}

/// Connects to an endpoint.
///
/// # Errors
/// Where no connection comes about.
pub(crate) async fn connect(address: SocketAddr, limits: &Limits) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Before connecting: the window's scale is told with the first segment.
    bound(&SockRef::from(&socket), limits);
    // A request's head and a body's last piece are not to wait for an acknowledgement.
    let _ = socket.set_nodelay(true);
    socket.connect(address).await
}

/// Bounds what the kernel holds. A system that knows an option not, or refuses a size, keeps its own.
fn bound(socket: &SockRef<'_>, limits: &Limits) {
    if let Some(size) = limits.receive_buffer {
        // The kernel takes its own limit (`net.core.rmem_max`) where that is smaller.
        let _ = socket.set_recv_buffer_size(size);
    }
    #[cfg(target_os = "linux")]
    if let Some(size) = limits.unsent {
        let _ = socket.set_tcp_notsent_lowat(u32::try_from(size).unwrap_or(u32::MAX));
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_socket_are_bounded() {
        let limits = Limits { unsent: Some(100 << 10), receive_buffer: Some(64 << 10), ..Limits::default() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = listen(([127, 0, 0, 1], 0).into(), &limits).unwrap();
            let address = listener.local_addr().unwrap();
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let (ours, theirs) = tokio::join!(connect(address, &limits), listener.accept());
            let (ours, (theirs, _)) = (ours.unwrap(), theirs.unwrap());
            accepted(&theirs);
            for stream in [&ours, &theirs] {
                let socket = SockRef::from(stream);
                assert_eq!(socket.tcp_notsent_lowat().unwrap(), 100 << 10);
                // Linux doubles what is asked for, to have room for its own records.
                assert_eq!(socket.recv_buffer_size().unwrap(), 128 << 10);
                assert!(stream.nodelay().unwrap());
            }
        });
    }
}
