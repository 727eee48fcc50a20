//! Sockets that listen: what an address means is the same for the edge, the admin port and the echo.
//!
//! `[::]` is every address of this machine, IPv4 and IPv6, whatever `net.ipv6.bindv6only` says; where the kernel has
//! no IPv6, every IPv4 address. One socket and not two, so that port 0 is one port. A peer that comes to it by IPv4
//! has an IPv4-mapped address (`::ffff:192.0.2.1`): whoever judges by addresses, or shows one, takes `to_canonical`
//! of it. It accepts nothing.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};

/// Connections that the kernel holds for us; it takes the smaller of this and its own limit.
const BACKLOG: i32 = 4096;

/// Binds a listener that does not block; port 0 lets the kernel choose. What it accepts inherits the options that
/// `prepare` sets.
///
/// # Errors
/// Where the address cannot be bound.
pub fn at(address: SocketAddr, prepare: impl Fn(&Socket)) -> io::Result<TcpListener> {
    let socket = match bound(address, &prepare) {
        Ok(socket) => socket,
        Err(error) => bound(without_ipv6(address, &error).ok_or(error)?, &prepare)?,
    };
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn bound(address: SocketAddr, prepare: &impl Fn(&Socket)) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
        socket.set_only_v6(false)?;
    }
    // A restart must not wait for the last connections' TIME_WAIT. Not SO_REUSEPORT: two processes would
    // share the port unnoticed.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    prepare(&socket);
    socket.bind(&address.into())?;
    Ok(socket)
}

/// What stands for an address on a machine whose kernel has no IPv6 (`ipv6.disable=1`), if the error says that this
/// is one.
fn without_ipv6(address: SocketAddr, error: &io::Error) -> Option<SocketAddr> {
    let lacks = matches!(Errno::from_io_error(error), Some(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL));
    let every = address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    (lacks && every).then(|| (Ipv4Addr::UNSPECIFIED, address.port()).into())
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use socket2::SockRef;

    use super::*;

    #[test]
    fn every_address_takes_ipv4_and_ipv6() {
        let listener = at("[::]:0".parse().unwrap(), |_| {}).unwrap();
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(false).unwrap();
        if address.is_ipv6() {
            assert!(!SockRef::from(&listener).only_v6().unwrap());
            TcpStream::connect((Ipv6Addr::LOCALHOST, address.port())).unwrap();
            assert!(listener.accept().unwrap().1.ip().is_loopback());
        }
        TcpStream::connect((Ipv4Addr::LOCALHOST, address.port())).unwrap();
        assert_eq!(listener.accept().unwrap().1.ip().to_canonical(), IpAddr::V4(Ipv4Addr::LOCALHOST));
    }

    #[test]
    fn a_kernel_without_ipv6_gives_every_ipv4_address_and_nothing_narrower() {
        let every: SocketAddr = "[::]:8080".parse().unwrap();
        let one: SocketAddr = "[::1]:8080".parse().unwrap();
        let none = io::Error::from(Errno::AFNOSUPPORT);
        assert_eq!(without_ipv6(every, &none), Some("0.0.0.0:8080".parse().unwrap()));
        assert_eq!(without_ipv6(one, &none), None, "it was asked for");
        assert_eq!(without_ipv6(every, &Errno::ADDRINUSE.into()), None);
    }
}
