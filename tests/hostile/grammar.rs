//! Inputs by the thousand: requests put together from sound and unsound parts, then now and then broken at a byte.
//!
//! Each is made from its number alone, so that what failed once fails again.

/// A row of numbers that looks like chance (splitmix64).
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64, number: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ number.wrapping_mul(0xd134_2543_de82_ef95))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn upto(&mut self, sides: usize) -> usize {
        (self.next() % sides as u64) as usize
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.upto(100) < percent
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.upto(of.len())]
    }

    /// The first, most of the time.
    fn mostly<'a>(&mut self, percent: usize, of: &[&'a str]) -> &'a str {
        if self.chance(percent) { of[0] } else { self.pick(of) }
    }
}

const METHODS: &[&str] = &[
    "GET", "POST", "PUT", "HEAD", "DELETE", "OPTIONS", "PATCH", "PROPFIND", "get", "TRACE", "CONNECT", "G!T",
    "GE T", "PRI",
];
const TARGETS: &[&str] = &[
    "/",
    "/a",
    "/a/b?c=d",
    "/version-1/x",
    "/version-1",
    "/version-2//x",
    "/a;b",
    "/%41",
    "/%2e%2e/x",
    "/a%2fb",
    "/a/../b",
    "//a",
    "/?",
    "/a?b=/../c",
    "/a?b%00",
    "*",
    "a",
    "shop.test:80",
    "http://shop.test/a",
    "http://a.test",
    "http://b.test:80/?q",
    "http://u@a.test/",
    "https://a.test/",
    "/a#b",
    "/a[b]|c",
    "/a\\b",
    "/a\"b",
    "/%zz",
    "/a?\u{e9}",
    "/a?b|c{d}",
    "/a?<script>",
    "/a%C3%A9",
    "/a:b@c",
    "/...",
];
const HOSTS: &[&str] = &[
    "shop.test",
    "a.test",
    "b.test",
    "SHOP.TEST",
    "shop.test.",
    "shop.test:80",
    "version-1.shop.test",
    "version-10.shop.test:8080",
    "version-9.shop.test",
    "",
    "a.test, b.test",
    "u@a.test",
    "a.test/x",
    "[::1]",
    "xn--bcher-kva.test",
    "a_b.test",
    "a.test:",
    "a.test:0",
    "a.test b.test",
    "other.test",
    "a.test\t",
];
const VERSIONS: &[&str] =
    &["HTTP/1.1", "HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "http/1.1", "HTTP/1.1 ", "HTTP/0.9", ""];
const ENDS: &[&str] = &["\r\n", "\n", "\r", "\r\r\n", "\n\r", ""];
const COLONS: &[&str] = &[": ", ":", " : ", ":\t", "\t: ", ": \r\n ", ":\u{b}", "", ":: "];
const NAMES: &[&str] = &[
    "A",
    "accept",
    "Cookie",
    "Content-Type",
    "Connection",
    "Expect",
    "Upgrade",
    "Via",
    "TE",
    "Trailer",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Request-Id",
    "X-Synkronic-Version",
    "Baggage",
    "Keep-Alive",
    "Max-Forwards",
    "Range",
    "Content_Length",
    "Transfer_Encoding",
    "X-HTTP-Method-Override",
    "Forwarded",
    "Proxy-Connection",
    "Content-Encoding",
    "a.b",
    "A!#$%&'*+-.^_`|~",
    "Sec-WebSocket-Key",
    "",
];
const VALUES: &[&str] = &[
    "b",
    "",
    "close",
    "keep-alive",
    "Transfer-Encoding",
    "content-length, host",
    "100-continue",
    "h2c",
    "websocket",
    "upgrade",
    "a, b",
    ",,",
    "1.1 a",
    "trailers",
    "9.9.9.9",
    "version-2",
    "\u{e9}",
    "a\tb",
    "\"quoted\"",
    "a;b=c",
    "0",
    "X-Forwarded-For, A, Cookie",
    "a\u{0}b",
    "a\rb",
];
const LENGTHS: &[&str] = &[
    "0",
    "00",
    "1",
    "+5",
    "-1",
    "5, 5",
    "0x5",
    "",
    " 5",
    "5 ",
    "99999999999999999999",
    "05",
    "5\t",
    "5;",
    "50",
];
const CODINGS: &[&str] = &[
    "chunked",
    "Chunked",
    "chunked ",
    " chunked",
    "gzip, chunked",
    "chunked, chunked",
    "identity",
    "xchunked",
    ",chunked",
    "",
    "chunked\u{b}",
];
const BODIES: &[&str] = &[
    "hello",
    "",
    "x",
    "GET /smuggled HTTP/1.1\r\nHost: shop.test\r\n\r\n",
    "0\r\n\r\n",
    "\r\n",
    "5\r\nhello\r\n0\r\n\r\n",
    "POST /smuggled HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 3\r\n\r\nabc",
    "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: shop.test\r\n\r\n",
];
const SIZES: &[&str] = &["", "0", "00", "0x", "+", "-", " ", "\t", "1", "f"];
const BEHIND_SIZES: &[&str] =
    &["", ";a=b", ";", " ", ";a=\"b\"", " ;a", ";a\n", ";a\rb", "\t", ";\u{0}", "g", "0"];
const TRAILERS: &[&str] = &[
    "",
    "A: b\r\n",
    "Content-Length: 5\r\n",
    "Host: a.test\r\n",
    "Transfer-Encoding: chunked\r\n",
    "A : b\r\n",
    "A: b\n",
    " A: b\r\n",
    "nocolon\r\n",
    "X_Y: z\r\n",
];
/// What breaks things, when put somewhere.
const BYTES: &[u8] =
    b"\r\n\0 \t:;,/\\%?#@[]()<>\"'=&_-.+0159aAzZxX{}|^`~!*\x01\x0b\x0c\x1b\x7f\x80\xa0\xff\xc3\xa9";

/// One input: its bytes, and the sizes of the pieces it is sent in.
pub fn input(dice: &mut Dice) -> (Vec<u8>, Vec<usize>) {
    let mut bytes = Vec::new();
    if dice.chance(4) {
        bytes.extend(dice.pick(&["\r\n", "\n", "\r\n\r\n", "\r", " "]).bytes());
    }
    request(dice, &mut bytes);
    while dice.chance(8) {
        request(dice, &mut bytes);
    }
    if dice.chance(20) {
        for _ in 0..=dice.upto(3) {
            mutate(dice, &mut bytes);
        }
    }
    let mut pieces = Vec::new();
    if dice.chance(30) {
        for _ in 0..=dice.upto(3) {
            pieces.push(dice.upto(bytes.len() + 1));
        }
        pieces.sort_unstable();
    }
    (bytes, pieces)
}

fn request(dice: &mut Dice, out: &mut Vec<u8>) {
    // How wild the whole is: most requests have one thing wrong at most.
    let tame = [100, 99, 97, 85][dice.upto(4)];
    let method = if dice.chance(tame) { METHODS[dice.upto(8)] } else { dice.pick(METHODS) };
    let target = if dice.chance(tame) { TARGETS[dice.upto(9)] } else { dice.pick(TARGETS) };
    let version = dice.mostly(tame, VERSIONS);
    let space = dice.mostly(tame, &[" ", "  ", "\t", ""]);
    text(
        out,
        &[method, space, target, dice.mostly(tame, &[" ", "  ", "\t"]), version, dice.mostly(tame, ENDS)],
    );
    let mut fields =
        vec![("Host", if dice.chance(tame) { HOSTS[dice.upto(8)] } else { dice.pick(HOSTS) }.to_owned())];
    if !dice.chance(tame) {
        fields.push(("host", dice.pick(HOSTS).to_owned()));
    }
    let body = body(dice, tame, &mut fields);
    for _ in 0..dice.upto(4) {
        fields.push((dice.pick(NAMES), dice.pick(VALUES).to_owned()));
    }
    // In any order: what comes first decides much.
    for last in (1..fields.len()).rev() {
        let other = dice.upto(last + 1);
        fields.swap(last, other);
    }
    for (name, value) in fields {
        let before = dice.mostly(tame, &["", "", " ", "\t"]);
        let name = if dice.chance(tame) { name.to_owned() } else { odd_name(dice, name) };
        text(
            out,
            &[
                before,
                &name,
                dice.mostly(tame, COLONS),
                &value,
                dice.mostly(tame, &["", " ", "\t", "\u{c}"]),
                dice.mostly(tame, ENDS),
            ],
        );
    }
    text(out, &[dice.mostly(tame, ENDS)]);
    out.extend(body);
}

fn odd_name(dice: &mut Dice, name: &str) -> String {
    match dice.upto(5) {
        0 => name.to_uppercase(),
        1 => name.replace('-', "_"),
        2 => format!("{name}\0"),
        3 => format!("{name} x"),
        _ => name.to_lowercase(),
    }
}

/// A body, and the fields that frame it, mostly rightly.
fn body(dice: &mut Dice, tame: usize, fields: &mut Vec<(&'static str, String)>) -> Vec<u8> {
    let data = dice.pick(BODIES);
    let mut bytes = Vec::new();
    match dice.upto(5) {
        0 | 1 => {}
        2 => {
            fields.push(("Content-Length", length(dice, tame, data)));
            bytes.extend(data.bytes());
        }
        3 => {
            fields.push(("Transfer-Encoding", dice.mostly(tame, CODINGS).to_owned()));
            chunks(dice, tame, data, &mut bytes);
        }
        _ => {
            fields.push(("Content-Length", length(dice, tame, data)));
            let second = if dice.chance(50) {
                ("Content-Length", length(dice, tame, data))
            } else {
                ("Transfer-Encoding", dice.mostly(tame, CODINGS).to_owned())
            };
            fields.push(second);
            if dice.chance(50) { bytes.extend(data.bytes()) } else { chunks(dice, tame, data, &mut bytes) }
        }
    }
    bytes
}

fn length(dice: &mut Dice, tame: usize, data: &str) -> String {
    if dice.chance(tame) { data.len().to_string() } else { dice.pick(LENGTHS).to_owned() }
}

fn chunks(dice: &mut Dice, tame: usize, data: &str, out: &mut Vec<u8>) {
    let mut rest = data.as_bytes();
    while !rest.is_empty() {
        let (chunk, behind) = rest.split_at(1 + dice.upto(rest.len()));
        rest = behind;
        let size = if dice.chance(50) { format!("{:x}", chunk.len()) } else { format!("{:X}", chunk.len()) };
        text(
            out,
            &[dice.mostly(tame, SIZES), &size, dice.mostly(tame, BEHIND_SIZES), dice.mostly(tame, ENDS)],
        );
        out.extend_from_slice(chunk);
        text(out, &[dice.mostly(tame, ENDS)]);
    }
    text(
        out,
        &[
            dice.mostly(tame, &["0", "00", "", "0;a"]),
            dice.mostly(tame, ENDS),
            dice.mostly(tame, TRAILERS),
            dice.mostly(tame, ENDS),
        ],
    );
}

/// Latin-1, so that `\u{e9}` and its like are one byte.
fn text(out: &mut Vec<u8>, parts: &[&str]) {
    for part in parts {
        out.extend(part.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')));
    }
}

fn mutate(dice: &mut Dice, bytes: &mut Vec<u8>) {
    if bytes.is_empty() {
        return;
    }
    let at = dice.upto(bytes.len());
    let byte = BYTES[dice.upto(BYTES.len())];
    match dice.upto(6) {
        0 => bytes[at] = byte,
        1 => bytes.insert(at, byte),
        2 => drop(bytes.remove(at)),
        3 => {
            let end = (at + 1 + dice.upto(20)).min(bytes.len());
            let copy = bytes[at..end].to_vec();
            let to = dice.upto(bytes.len() + 1);
            bytes.splice(to..to, copy);
        }
        4 => {
            let end = (at + 1 + dice.upto(8)).min(bytes.len());
            bytes.drain(at..end);
        }
        _ => bytes[at] ^= 1 << dice.upto(8),
    }
}
