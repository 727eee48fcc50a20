//! WebSocket echo (RFC 6455): every frame comes back as it came, without its mask.
//!
//! Frames are passed on in pieces, so a frame of any length takes 16 KiB. It neither joins fragments nor
//! checks UTF-8: it is a mirror, and what it is sent is what it shows.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

/// RFC 6455 1.3: the fixed text that is joined to the key.
const SALT: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;
/// Status 1001, going away (RFC 6455 7.4.1).
const GOING_AWAY: [u8; 4] = [0x80 | CLOSE, 2, 0x03, 0xE9];

/// The `Sec-WebSocket-Accept` that belongs to a `Sec-WebSocket-Key`.
pub(super) fn accept(key: &str) -> String {
    STANDARD.encode(Sha1::new().chain_update(key).chain_update(SALT).finalize())
}

/// The head of one frame from a client.
struct Head {
    /// FIN, reserved bits and opcode, as they came.
    first: u8,
    length: u64,
    mask: [u8; 4],
}

impl Head {
    fn opcode(&self) -> u8 {
        self.first & 0x0F
    }

    /// The head of the same frame from a server: no mask.
    fn reply(&self) -> Vec<u8> {
        let first = if self.opcode() == PING { (self.first & 0xF0) | PONG } else { self.first };
        let mut head = vec![first];
        match self.length {
            short @ 0..=125 => head.push(short as u8),
            middle @ 126..=0xFFFF => {
                head.push(126);
                head.extend_from_slice(&(middle as u16).to_be_bytes());
            }
            long => {
                head.push(127);
                head.extend_from_slice(&long.to_be_bytes());
            }
        }
        head
    }
}

async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Head> {
    let first = stream.read_u8().await?;
    let second = stream.read_u8().await?;
    let length = match second & 0x7F {
        126 => u64::from(stream.read_u16().await?),
        127 => stream.read_u64().await?,
        short => u64::from(short),
    };
    let mut mask = [0; 4];
    if second & 0x80 != 0 {
        stream.read_exact(&mut mask).await?;
    }
    Ok(Head { first, length, mask })
}

/// Echoes until the client closes, the stream breaks, or `stop` (then it says 1001).
pub(super) async fn echo<S: AsyncRead + AsyncWrite + Unpin>(stream: S, stop: CancellationToken) {
    let (reading, mut writing) = tokio::io::split(stream);
    let mut reading = tokio::io::BufReader::with_capacity(16 * 1024, reading);
    loop {
        let head = tokio::select! {
            head = read_head(&mut reading) => head,
            () = stop.cancelled() => {
                let _ = writing.write_all(&GOING_AWAY).await;
                break;
            }
        };
        let Ok(head) = head else { break };
        if mirror(&head, &mut reading, &mut writing).await.is_err() || head.opcode() == CLOSE {
            break;
        }
    }
    let _ = writing.shutdown().await;
}

async fn mirror(
    head: &Head,
    reading: &mut (impl AsyncRead + Unpin),
    writing: &mut (impl AsyncWrite + Unpin),
) -> std::io::Result<()> {
    // A pong answers nothing, so its payload is read away.
    let silent = head.opcode() == PONG;
    let mut out = if silent { Vec::new() } else { head.reply() };
    let mut piece = [0; 8 * 1024];
    let mut left = head.length;
    let mut mask = head.mask.iter().copied().cycle();
    while left > 0 {
        let want = left.min(piece.len() as u64) as usize;
        let Some(room) = piece.get_mut(..want) else { break };
        let got = reading.read(room).await?;
        if got == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        left -= got as u64;
        if !silent {
            out.extend(piece.iter().take(got).zip(&mut mask).map(|(byte, key)| byte ^ key));
            writing.write_all(&out).await?;
            out.clear();
        }
    }
    writing.write_all(&out).await?;
    writing.flush().await
}
