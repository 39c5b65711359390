//! An address that neither accepts nor refuses.

use crate::DEADLINE;
use socket2::{Domain, Socket, Type};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// A listener whose queue of unaccepted connections is full: on Linux further SYNs are dropped, so that connecting
/// hangs until the caller's own limit.
#[derive(Debug)]
pub struct Blackhole {
    addr: SocketAddr,
    _listener: Socket,
    _queue: Vec<TcpStream>,
}

impl Blackhole {
    /// Opens it on a free loopback port.
    pub fn start() -> Self {
        Blackhole::open().unwrap_or_else(|error| panic!("cannot open a black hole: {error}"))
    }

    fn open() -> std::io::Result<Self> {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        listener.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        listener.listen(0)?;
        let addr = listener.local_addr()?.as_socket().ok_or(ErrorKind::AddrNotAvailable)?;
        let mut queue = Vec::new();
        let start = Instant::now();
        // How many fit is the kernel's affair: fill until one hangs.
        loop {
            match TcpStream::connect_timeout(&addr, Duration::from_millis(150)) {
                Ok(stream) => queue.push(stream),
                Err(error) if error.kind() == ErrorKind::TimedOut => break,
                Err(error) => return Err(error),
            }
            if start.elapsed() > DEADLINE {
                return Err(std::io::Error::other("the queue never fills"));
            }
        }
        Ok(Blackhole { addr, _listener: listener, _queue: queue })
    }

    /// Where connecting hangs.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The same as the base URL of an OpenAI-compatible API.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.addr)
    }
}
