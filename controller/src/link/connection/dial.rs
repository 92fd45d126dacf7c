//! From a name to a TCP connection.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{error::Elapsed, timeout};

use crate::link::error::LinkError;
use crate::link::ssh_command::{AddressFamily, SshTarget};
use crate::link::turns::{QueueTime, Turns};

/// Resolves the name and tries its addresses one after the other, each with its share of the time.
pub(super) async fn dial(
    target: &SshTarget,
    limit: Duration,
    turns: &Turns,
    queued: &QueueTime,
) -> Result<TcpStream, LinkError> {
    let address = target.to_string();
    let unresolved = |source| LinkError::Resolve { host: target.host.clone(), source };
    let found = match target.host.parse::<IpAddr>() {
        Ok(address) => vec![SocketAddr::new(address, target.port)],
        Err(_) => look_up(target, limit, turns, queued).await.map_err(unresolved)?,
    };
    let wanted = |found: &SocketAddr| match target.address_family {
        AddressFamily::Any => true,
        AddressFamily::V4 => found.is_ipv4(),
        AddressFamily::V6 => found.is_ipv6(),
    };
    let found: Vec<_> = found.into_iter().filter(wanted).collect();
    let share = limit / u32::try_from(found.len().max(1)).unwrap_or(u32::MAX);
    let mut worst =
        unresolved(io::Error::new(io::ErrorKind::NotFound, "it has no address of the wanted kind"));
    for found in found {
        worst = match timeout(share, TcpStream::connect(found)).await {
            Ok(Ok(stream)) => {
                // Only speed depends on it.
                _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            // Something is there and said no: the clearest answer, which a later address must not hide.
            _ if matches!(worst, LinkError::Refused { .. }) => worst,
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
                LinkError::Refused { address: address.clone() }
            }
            Ok(Err(source)) => LinkError::Unreachable { address: address.clone(), source },
            Err(Elapsed { .. }) => LinkError::Timeout { address: address.clone(), after: limit },
        };
    }
    Err(worst)
}

/// The addresses of a name. A lookup goes on, and keeps its turn, when it is not waited for any more: those that a dead
/// resolver holds up must not take all threads.
async fn look_up(
    target: &SshTarget,
    limit: Duration,
    turns: &Turns,
    queued: &QueueTime,
) -> io::Result<Vec<SocketAddr>> {
    let turn = turns.lookup(queued).await;
    let name = (target.host.clone(), target.port);
    let looking = tokio::task::spawn_blocking(move || {
        let found = name.to_socket_addrs().map(Iterator::collect);
        drop(turn);
        found
    });
    match timeout(limit, looking).await {
        Ok(found) => found.map_err(io::Error::other)?,
        Err(Elapsed { .. }) => Err(io::ErrorKind::TimedOut.into()),
    }
}
