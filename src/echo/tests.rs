use super::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

struct Running {
    address: SocketAddr,
    stop: CancellationToken,
    serving: tokio::task::JoinHandle<()>,
}

async fn start() -> Running {
    let voice = Voice { version: "version-2".to_owned(), links: vec!["base".to_owned()], ..Voice::default() };
    let bound = Bound::bind("127.0.0.1:0".parse().unwrap(), voice).await.unwrap();
    let (address, stop) = (bound.address().unwrap(), CancellationToken::new());
    let serving = tokio::spawn(bound.serve(stop.clone(), Duration::from_secs(30)));
    Running { address, stop, serving }
}

/// Sends `text`, reads to the end.
async fn ask(address: SocketAddr, text: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

async fn get(address: SocketAddr, path: &str, more: &str) -> String {
    ask(address, &format!("GET {path} HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n{more}\r\n")).await
}

#[tokio::test]
async fn answers_say_the_version_and_the_request() {
    let address = start().await.address;
    let json = get(address, "/a?b=c", "X-Twice: 1\r\nX-Twice: 2\r\n").await;
    let (head, body) = json.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("x-echo-version: version-2") && head.contains("application/json"), "{head}");
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["version"], "version-2");
    assert_eq!(body["target"], "/a?b=c");
    assert_eq!(body["headers"]["x-twice"], serde_json::json!(["1", "2"]));
    let page = get(address, "/", "Accept: text/html,*/*\r\n").await;
    assert!(page.contains("<h1>version-2</h1>"), "{page}");
}

#[tokio::test]
async fn every_trial_path_does_what_it_says() {
    let address = start().await.address;
    let sized = get(address, "/bytes/100000", "").await;
    assert!(sized.contains("content-length: 100000") && sized.ends_with(&"x".repeat(100_000)));
    assert!(get(address, "/bytes/3?chunked=1", "").await.contains("transfer-encoding: chunked"));
    assert!(get(address, "/bytes/0", "").await.contains("content-length: 0"));
    assert!(get(address, "/bytes/x", "").await.starts_with("HTTP/1.1 400"));
    assert!(get(address, "/status/418", "").await.starts_with("HTTP/1.1 418"));
    assert!(get(address, "/status/101", "").await.starts_with("HTTP/1.1 400"));
    assert!(get(address, "/slow?ms=1", "").await.starts_with("HTTP/1.1 200"));
    assert!(get(address, "/redirect?to=%2Fthere", "").await.contains("location: /there"));
    assert!(get(address, "/cookie?value=7", "").await.contains("set-cookie: echo=7; Path=/"));
    let events = get(address, "/events?ms=1&count=2", "").await;
    assert!(events.contains("text/event-stream") && events.contains("id: 2\n"), "{events}");
    assert_eq!(get(address, "/break", "").await, "");
}

#[tokio::test]
async fn a_body_comes_back() {
    let address = start().await.address;
    let head = "HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello";
    assert!(ask(address, &format!("POST / {head}")).await.ends_with("\r\n\r\nhello"));
    let shown = ask(address, &format!("POST /request {head}")).await;
    assert!(shown.contains("\"body\": \"hello\"") && shown.contains("\"bodyBytes\": 5"), "{shown}");
}

/// RFC 7540 3.4: the preface and an empty SETTINGS; the server's first frame is its SETTINGS (type 4).
#[tokio::test]
async fn http_2_by_prior_knowledge() {
    let address = start().await.address;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let mut frame = [0; 9];
    stream.read_exact(&mut frame).await.unwrap();
    assert_eq!(frame[3], 4);
}

#[test]
fn the_accept_key_is_the_standards_example() {
    assert_eq!(websocket::accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

/// A client's frame with mask `1234`.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    if payload.len() < 126 {
        frame.push(0x80 | payload.len() as u8);
    } else {
        frame.push(0x80 | 127);
        frame.extend_from_slice(&(payload.len() as u64).to_be_bytes());
    }
    frame.extend_from_slice(b"1234");
    frame.extend(payload.iter().zip(b"1234".iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

async fn websocket_to(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = "GET /any HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.starts_with("HTTP/1.1 101") && head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
    stream
}

#[tokio::test]
async fn a_websocket_mirrors_frames() {
    let address = start().await.address;
    let mut stream = websocket_to(address).await;
    stream.write_all(&frame(0x81, b"hello")).await.unwrap();
    stream.write_all(&frame(0x8A, b"a pong is silent")).await.unwrap();
    stream.write_all(&frame(0x89, b"ping")).await.unwrap();
    let mut answer = [0; 7 + 6];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"\x81\x05hello\x8A\x04ping");
    let long = vec![7; 100_000];
    let (mut reading, mut writing) = stream.into_split();
    let sending = frame(0x82, &long);
    let writer = tokio::spawn(async move { writing.write_all(&sending).await.map(|()| writing) });
    let mut answer = vec![0; 10 + long.len()];
    reading.read_exact(&mut answer).await.unwrap();
    assert!(answer[..10] == [0x82, 127, 0, 0, 0, 0, 0, 1, 0x86, 0xA0] && answer[10..] == long[..]);
    let mut writing = writer.await.unwrap().unwrap();
    writing.write_all(&frame(0x88, b"\x03\xE8")).await.unwrap();
    let mut rest = Vec::new();
    reading.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"\x88\x02\x03\xE8");
}

#[tokio::test]
async fn a_drain_lets_a_request_end_and_tells_a_websocket() {
    let running = start().await;
    let mut tunnel = websocket_to(running.address).await;
    let mut slow = TcpStream::connect(running.address).await.unwrap();
    slow.write_all(b"GET /events?ms=100&count=3 HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    assert_eq!(slow.read_u8().await.unwrap(), b'H');
    running.stop.cancel();
    let mut rest = Vec::new();
    slow.read_to_end(&mut rest).await.unwrap();
    assert!(String::from_utf8_lossy(&rest).contains("id: 3\n"));
    let mut goodbye = Vec::new();
    tunnel.read_to_end(&mut goodbye).await.unwrap();
    assert_eq!(goodbye, [0x88, 2, 0x03, 0xE9]);
    running.serving.await.unwrap();
}
