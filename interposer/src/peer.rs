//! What the kernel knows of the client's end of a loopback connection.
//!
//! A flushed answer sits in the client's receive queue until the client reads it, and a killed client's
//! request can still be read after its death. Linux tells both in `/proc/net/tcp`, for the client runs on
//! the same machine. Where there is no such table, the flush and the open connection have to do.

use std::net::{SocketAddr, SocketAddrV4};
use std::time::Duration;

/// States as in the kernel's `net/tcp_states.h`.
const ESTABLISHED: &str = "01";

/// How often a socket that is not in the table is looked for again: the table is not read atomically.
const LOOKS: usize = 3;

/// How long a client may leave an answer unread before it counts as not delivered.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often the receive queue is looked at.
const PACE: Duration = Duration::from_millis(1);

/// One line of the table.
struct Socket {
    established: bool,
    unsent: u64,
    unread: u64,
}

/// The connection's own end is the first address.
fn find(own: SocketAddrV4, other: SocketAddrV4, table: &str) -> Option<Socket> {
    let (own, other) = (in_hex(own), in_hex(other));
    table.lines().find_map(|line| {
        let mut columns = line.split_ascii_whitespace().skip(1);
        if columns.next()? != own || columns.next()? != other {
            return None;
        }
        let established = columns.next()? == ESTABLISHED;
        let (unsent, unread) = columns.next()?.split_once(':')?;
        let number = |hex| u64::from_str_radix(hex, 16).ok();
        Some(Socket { established, unsent: number(unsent)?, unread: number(unread)? })
    })
}

fn in_hex(address: SocketAddrV4) -> String {
    // The kernel prints the address as one number of the machine's own byte order.
    let ip = u32::from_ne_bytes(address.ip().octets());
    format!("{ip:08X}:{:04X}", address.port())
}

fn table() -> Option<String> {
    std::fs::read_to_string("/proc/net/tcp").ok()
}

fn v4(address: SocketAddr) -> Option<SocketAddrV4> {
    match address {
        SocketAddr::V4(address) => Some(address),
        SocketAddr::V6(_) => None,
    }
}

/// Whether the client still holds its end open.
pub(crate) fn is_there(local: SocketAddr, client: SocketAddr) -> bool {
    let (Some(local), Some(client)) = (v4(local), v4(client)) else { return true };
    for _ in 0..LOOKS {
        let Some(table) = table() else { return true };
        if let Some(socket) = find(local, client, &table) {
            return socket.established;
        }
    }
    false
}

/// Waits until the client has read everything that was flushed to it. False if it does not in time.
pub(crate) async fn has_read(local: SocketAddr, client: SocketAddr) -> bool {
    let (Some(local), Some(client)) = (v4(local), v4(client)) else { return true };
    let read = async {
        while table().is_some_and(|table| is_unread(local, client, &table)) {
            tokio::time::sleep(PACE).await;
        }
    };
    tokio::time::timeout(PATIENCE, read).await.is_ok()
}

fn is_unread(local: SocketAddrV4, client: SocketAddrV4, table: &str) -> bool {
    find(local, client, table).is_some_and(|ours| ours.unsent > 0)
        || find(client, local, table).is_some_and(|theirs| theirs.unread > 0)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    #[tokio::test]
    async fn an_answer_is_unread_until_the_client_reads_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut server, peer) = listener.accept().await.unwrap();
        let local = server.local_addr().unwrap();
        server.write_all(b"answer").await.unwrap();

        assert!(is_unread(v4(local).unwrap(), v4(peer).unwrap(), &table().unwrap()));
        let mut answer = [0; 6];
        let (read, _) = tokio::join!(has_read(local, peer), client.read_exact(&mut answer));
        assert!(read);
        assert!(is_there(local, peer));

        drop(client);
        assert_eq!(server.read(&mut answer).await.unwrap(), 0);
        assert!(!is_there(local, peer));
    }
}
