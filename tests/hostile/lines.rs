//! The table: hostile inputs by the line of the list they belong to, and what is owed for each.

/// What is owed.
#[derive(Debug, Clone)]
pub enum Owed {
    /// This status, the connection closed behind it, and nothing upstream.
    Refused(u16),
    /// The same, though its beginning may have gone upstream: there it is broken off.
    BrokenOff(u16),
    /// One request upstream; its connection serves the next one.
    Passed(Pass),
    /// One request upstream; its connection is closed behind the answer.
    PassedAndClosed(Pass),
    /// The edge answers by itself, and its connection serves the next one.
    Ours(u16),
}

/// A request as it must go upstream.
#[derive(Debug, Clone)]
pub struct Pass {
    pub method: String,
    pub target: String,
    pub host: &'static str,
    pub body: Vec<u8>,
    /// Fields that go along, with all of their values.
    pub with: Vec<(&'static str, String)>,
    /// Fields that don't.
    pub without: &'static [&'static str],
}

/// One input.
#[derive(Debug, Clone)]
pub struct Case {
    pub line: u8,
    pub bytes: Vec<u8>,
    /// Whether the client closes its side behind it.
    pub last: bool,
    pub owed: Owed,
    /// Whether that is what hyper has decided before anybody sees the request, where the list owes a 400.
    pub by_hyper: bool,
}

fn pass(method: &str, target: &str) -> Pass {
    Pass {
        method: method.to_owned(),
        target: target.to_owned(),
        host: "shop.test",
        body: Vec::new(),
        with: Vec::new(),
        without: &[],
    }
}

impl Pass {
    fn host(self, host: &'static str) -> Self {
        Self { host, ..self }
    }

    fn body(self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..self }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.with.push((name, value.into()));
        self
    }

    fn without(self, without: &'static [&'static str]) -> Self {
        Self { without, ..self }
    }
}

/// Cases as they are gathered.
struct Table(Vec<Case>);

impl Table {
    fn add(&mut self, line: u8, bytes: impl AsRef<[u8]>, owed: Owed) {
        self.0.push(Case { line, bytes: bytes.as_ref().to_vec(), last: false, owed, by_hyper: false });
    }

    /// The edge cannot know what was written: the list owes a 400, and this comes of it instead.
    fn by_hyper(&mut self, line: u8, bytes: impl AsRef<[u8]>, comes: Owed) {
        self.0.push(Case { line, bytes: bytes.as_ref().to_vec(), last: false, owed: comes, by_hyper: true });
    }

    fn refused(&mut self, line: u8, status: u16, inputs: impl IntoIterator<Item = impl AsRef<[u8]>>) {
        for bytes in inputs {
            self.add(line, bytes, Owed::Refused(status));
        }
    }

    fn passed(&mut self, line: u8, bytes: impl AsRef<[u8]>, pass: Pass) {
        self.add(line, bytes, Owed::Passed(pass));
    }
}

fn get(target: &str, fields: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: shop.test\r\n{fields}\r\n")
}

fn with_host(host: &str) -> Vec<u8> {
    [b"GET / HTTP/1.1\r\nHost: ".as_slice(), host.as_bytes(), b"\r\n\r\n"].concat()
}

/// A `POST` with these fields and this body.
fn post(fields: &str, body: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: shop.test\r\n{fields}\r\n\r\n{body}")
}

fn chunked(body: &str) -> String {
    post("Transfer-Encoding: chunked", body)
}

/// A body that is a request to whoever takes it for one.
const LOOKALIKE: &str = "GET /smuggled HTTP/1.1\r\nHost: shop.test\r\n\r\n";

/// All inputs of the table.
pub fn all() -> Vec<Case> {
    let mut table = Table(Vec::new());
    lengths_and_codings(&mut table);
    methods_with_bodies(&mut table);
    chunks(&mut table);
    syntax(&mut table);
    hosts(&mut table);
    targets(&mut table);
    paths(&mut table);
    sizes_and_methods(&mut table);
    fields(&mut table);
    expectations_and_upgrades(&mut table);
    table.0
}

fn lengths_and_codings(table: &mut Table) {
    // hyper reads chunks, drops the length before we see it, and closes: one framing upstream, and nobody's next
    // request on that connection is ever read.
    let one =
        || pass("POST", "/").body("ab").without(&["content-length"]).with("transfer-encoding", "chunked");
    for fields in [
        "Content-Length: 3\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 3",
        "Content-Length: 3\r\nA: b\r\nTransfer-Encoding: chunked\r\nContent-Length: 3",
    ] {
        table.add(1, post(fields, "2\r\nab\r\n0\r\n\r\n"), Owed::PassedAndClosed(one()));
    }
    for length in ["+3", "3, 3", "x", "-1", ""] {
        let (before, behind) = (
            post(&format!("Content-Length: {length}\r\nTransfer-Encoding: chunked"), "2\r\nab\r\n0\r\n\r\n"),
            post(&format!("Transfer-Encoding: chunked\r\nContent-Length: {length}"), "2\r\nab\r\n0\r\n\r\n"),
        );
        table.refused(2, 400, [before]);
        table.by_hyper(2, behind, Owed::PassedAndClosed(one()));
    }
    let five = || pass("POST", "/").body("hello").with("content-length", "5").without(&["transfer-encoding"]);
    table.passed(3, post("Content-Length: 5\r\nContent-Length: 5", "hello"), five());
    table.passed(3, post("Content-Length: 5\r\nContent-Length: 05", "hello"), five());
    table.refused(
        3,
        400,
        [
            post("Content-Length: 5\r\nContent-Length: 6", "hello!"),
            post("Content-Length: 6\r\nContent-Length: 5", "hello!"),
            post("Content-Length: 0\r\nContent-Length: 5", "hello"),
        ],
    );
    for length in
        ["5, 5", "+5", "-5", "0x5", "5_0", "", "18446744073709551617", "5 5", "5;", "\"5\"", "5.0", "5e0"]
    {
        table.refused(4, 400, [post(&format!("Content-Length: {length}"), "hello")]);
    }
    for length in ["05", "0005", "00000000000000000005"] {
        table.passed(5, post(&format!("Content-Length: {length}"), "hello"), five());
    }
    for coding in
        ["gzip, chunked", "chunked, chunked", ",chunked", "chunked,", "gzip\r\nTransfer-Encoding: chunked"]
    {
        table.refused(6, 400, [post(&format!("Transfer-Encoding: {coding}"), "5\r\nhello\r\n0\r\n\r\n")]);
    }
    table.refused(6, 400, [post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n")]);
    table.refused(6, 400, [post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", "0\r\n\r\n")]);
    for coding in
        ["xchunked", "identity", "chunked;a=b", "\u{b}chunked", "\u{a0}chunked", "\"chunked\"", "chunke", ""]
    {
        table.refused(7, 400, [post(&format!("Transfer-Encoding: {coding}"), "0\r\n\r\n")]);
    }
    for coding in [b"\xa0chunked".as_slice(), b"chunked\xa0"] {
        let (before, behind) =
            ("POST / HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: ", "\r\n\r\n0\r\n\r\n");
        table.refused(7, 400, [[before.as_bytes(), coding, behind.as_bytes()].concat()]);
    }
    table.passed(
        7,
        post("Transfer-Encoding:\tChUnKeD ", "5\r\nhello\r\n0\r\n\r\n"),
        pass("POST", "/").body("hello"),
    );
    table.refused(8, 400, [
        "POST / HTTP/1.0\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n0\r\n\r\n",
    ]);
    for name in ["Transfer_Encoding", "Content_Length", "X_Forwarded_For", "_", "a_"] {
        table.refused(9, 400, [post(&format!("{name}: chunked\r\nContent-Length: 5"), "hello")]);
    }
}

fn methods_with_bodies(table: &mut Table) {
    for method in ["GET", "HEAD", "OPTIONS", "DELETE", "PATCH", "PROPFIND", "get"] {
        let head = format!("{method} /a HTTP/1.1\r\nHost: shop.test\r\n");
        table.passed(
            10,
            format!("{head}Content-Length: {}\r\n\r\n{LOOKALIKE}", LOOKALIKE.len()),
            pass(method, "/a").body(LOOKALIKE),
        );
        table.passed(10, format!("{head}Content-Length: 0\r\n\r\n"), pass(method, "/a"));
        table.passed(
            11,
            format!(
                "{head}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{LOOKALIKE}\r\n0\r\n\r\n",
                LOOKALIKE.len()
            ),
            pass(method, "/a").body(LOOKALIKE).with("transfer-encoding", "chunked"),
        );
    }
}

fn chunks(table: &mut Table) {
    for body in [
        "0x5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "5_0\r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "\r\nhello\r\n0\r\n\r\n",
        "10000000000000005\r\nhello\r\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "5\rhello\r\n0\r\n\r\n",
        "5\r\nhello!\r\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "4\r\nhello\r\n0\r\n\r\n",
        "-1\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\ng\r\n\r\n",
    ] {
        table.add(12, chunked(body), Owed::BrokenOff(400));
    }
    for size in [b"\xa05".as_slice(), b"5\xa0"] {
        let head = chunked("").into_bytes();
        table.add(12, [&head, size, b"\r\nhello\r\n0\r\n\r\n"].concat(), Owed::BrokenOff(400));
    }
    table.passed(12, chunked("0005\r\nhello\r\n000\r\n\r\n"), pass("POST", "/").body("hello"));
    // Leading zeros are digits: the size is written anew upstream.
    table.passed(12, chunked("00000000000000005\r\nhello\r\n0\r\n\r\n"), pass("POST", "/").body("hello"));
    table.passed(12, chunked("A\r\n0123456789\r\n0\r\n\r\n"), pass("POST", "/").body("0123456789"));
    let hello = || pass("POST", "/").body("hello").with("transfer-encoding", "chunked");
    for body in [
        "5;a=b\r\nhello\r\n0;c\r\n\r\n",
        "5 ;a=b\r\nhello\r\n0\r\n\r\n",
        "5 \r\nhello\r\n0\r\n\r\n",
        "5;a=\0\r\nhello\r\n0\r\n\r\n",
        "5;a=\"\\\"\r\nhello\r\n0\r\n\r\n",
        "5;\r\nhello\r\n0\r\n\r\n",
    ] {
        table.passed(14, chunked(body), hello());
    }
    for body in
        ["5;a\nb\r\nhello\r\n0\r\n\r\n", "5;a\rb\r\nhello\r\n0\r\n\r\n", "5;a\n\r\nhello\r\n0\r\n\r\n"]
    {
        table.add(15, chunked(body), Owed::BrokenOff(400));
    }
    let long = "x".repeat(20 << 10);
    table.add(16, chunked(&format!("5;{long}\r\nhello\r\n0\r\n\r\n")), Owed::BrokenOff(400));
    table.add(
        16,
        chunked(&format!("{}0\r\n\r\n", "1;xxxxxxxxxxxxxxxx\r\na\r\n".repeat(1200))),
        Owed::BrokenOff(400),
    );
    for trailer in [
        "Content-Length: 3",
        "Host: evil.test",
        "Transfer-Encoding: chunked",
        "Authorization: Basic eA==",
        "X-Forwarded-For: 9.9.9.9",
        "X-Synkronic-Version: version-2",
        "a: b\r\nc: d",
    ] {
        let clean = hello().without(&["authorization", "content-length", "trailer", "a", "c"]);
        let bytes = chunked(&format!("5\r\nhello\r\n0\r\n{trailer}\r\n\r\n"));
        table.add(17, bytes, Owed::PassedAndClosed(clean));
    }
    // hyper reads a bare LF in trailers as a part of a value, others as a line's end: it then reads over what is the
    // next request to whoever sent it, so that what follows trailers is not served at all.
    let over = format!("5\r\nhello\r\n0\r\nA: b\n\r\n{LOOKALIKE}");
    table.add(17, chunked(&over), Owed::PassedAndClosed(hello()));
    // The same of a body that nobody reads.
    table.refused(17, 404, [chunked(&over).replace("shop.test\r\nTransfer", "nobody.test\r\nTransfer")]);
    let framed = format!("Content-Length: {}", LOOKALIKE.len());
    table.refused(10, 404, [post(&framed, LOOKALIKE).replacen("shop.test", "nobody.test", 1)]);
    let mut cut = |bytes: String| {
        table.0.push(Case {
            line: 18,
            bytes: bytes.into_bytes(),
            last: true,
            owed: Owed::BrokenOff(0),
            by_hyper: false,
        });
    };
    cut(chunked("5\r\nhello\r\n"));
    cut(chunked("5\r\nhello\r\n0\r\n"));
    cut(chunked("5\r\nhel"));
    cut(chunked("5"));
    cut(post("Content-Length: 10", "hello"));
    cut(post("Content-Length: 10", ""));
}

fn syntax(table: &mut Table) {
    table.passed(19, "GET /a HTTP/1.1\nHost: shop.test\nA: b\n\n", pass("GET", "/a").with("a", "b"));
    table.passed(19, "GET /a HTTP/1.1\r\nHost: shop.test\nA: b\r\n\n", pass("GET", "/a").with("a", "b"));
    table.passed(
        19,
        "POST /a HTTP/1.1\nHost: shop.test\nContent-Length: 5\n\nhello",
        pass("POST", "/a").body("hello"),
    );
    for value in ["a\rb", "a\0b", "a\u{1}b", "a\u{7f}b", "\r", "a\r\rb"] {
        table.refused(20, 400, [get("/", &format!("X: {value}\r\n"))]);
    }
    table.refused(
        20,
        400,
        [
            "GET / HTTP/1.1\rHost: shop.test\r\r",
            "GET / HTTP/1.1\r\nHost: shop.test\rX: a\r\n\r\n",
            "GET /\0 HTTP/1.1\r\nHost: shop.test\r\n\r\n",
            "GE\0T / HTTP/1.1\r\nHost: shop.test\r\n\r\n",
        ],
    );
    table.refused(
        21,
        400,
        [
            get("/", "A: b\r\n c\r\n"),
            get("/", "A: b\r\n\tc\r\n"),
            get("/", "Transfer-Encoding:\r\n chunked\r\n"),
            get("/", "Content-Length : 5\r\n"),
            get("/", "Content-Length\t: 5\r\n"),
            get("/", ": b\r\n"),
            get("/", "nocolon\r\n"),
            get("/", "a b: c\r\n"),
            get("/", "\"a\": c\r\n"),
            get("/", "a\0: c\r\n"),
            get("/", "é: c\r\n"),
            "GET / HTTP/1.1\r\n Host: shop.test\r\n\r\n".to_owned(),
            "GET / HTTP/1.1\r\n\tA: b\r\nHost: shop.test\r\n\r\n".to_owned(),
        ],
    );
    for before in ["\r\n", "\n", "\r\n\r\n\r\n", "\n\n"] {
        table.passed(22, format!("{before}{}", get("/a", "")), pass("GET", "/a"));
    }
    table.passed(22, format!("{}{}", "\r\n".repeat(10_000), get("/a", "")), pass("GET", "/a"));
    table.refused(22, 431, ["\r\n", "\n"].map(|run| format!("{}{}", run.repeat(100_000), get("/a", ""))));
    table.refused(
        22,
        400,
        [format!("\r{}", get("/a", "")), format!(" {}", get("/a", "")), format!("\0{}", get("/a", ""))],
    );
    for line in [
        "GET /",
        "GET / HTTP/0.9",
        "GET / HTTP/1.2",
        "GET / HTTP/2.0",
        "GET / HTTP/1.1 ",
        "GET / HTTP/1.10",
        "GET / HTTP/01.1",
        "GET / http/1.1",
        "GET / HTTP/1,1",
        "GET / HTTP/1.1x",
        "GET  / HTTP/1.1",
        "GET /  HTTP/1.1",
        "GET\t/ HTTP/1.1",
        "GET / a HTTP/1.1",
        " GET / HTTP/1.1",
        "GET",
        "",
        "/ HTTP/1.1",
        "PRI * HTTP/2.0",
    ] {
        let hosted = format!("{line}\r\nHost: shop.test\r\n\r\n");
        // An empty first line is not a line yet (line 22), so that `Host` is the one that is none.
        table.refused(23, 400, [hosted]);
    }
}

fn hosts(table: &mut Table) {
    table.refused(
        26,
        400,
        [
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nA: b\r\n\r\n",
            "GET / HTTP/1.0\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: shop.test\r\nHost: shop.test\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: shop.test\r\nHost: a.test\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: shop.test\r\nhost: shop.test\r\n\r\n",
            "GET / HTTP/1.1\r\nHost:\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: \r\n\r\n",
            "GET http://shop.test/ HTTP/1.1\r\n\r\n",
            "GET http://shop.test/ HTTP/1.1\r\nHost:\r\n\r\n",
        ],
    );
    for host in [
        "u@shop.test",
        "shop.test/a",
        "shop.test,a.test",
        "shop.test, a.test",
        "shop .test",
        "shop.test a.test",
        "shop\0.test",
        "[::1",
        "::1",
        "shop.test:0",
        "shop.test:65536",
        "shop.test:x",
        "shop.test:",
        "shop.test:080",
        "shop.test:80:80",
        "shop.test:+80",
        "shop.test?a",
        "shop.test#a",
        "http://shop.test",
        "shop.test\\a",
        "shop%2etest",
        "shop..test",
        ".shop.test",
        "shop.test..",
        "-shop.test",
        "[::1%25eth0]",
        "127.1",
        "0x7f.1",
    ] {
        table.refused(27, 400, [with_host(host)]);
    }
    table.passed(
        28,
        "GET http://shop.test/a?b HTTP/1.1\r\nHost: a.test\r\n\r\n",
        pass("GET", "/a?b").host("shop.test"),
    );
    table.passed(
        28,
        "GET http://SHOP.test:80/a HTTP/1.1\r\nHost: a.test\r\n\r\n",
        pass("GET", "/a").host("shop.test:80"),
    );
    table.passed(
        28,
        "GET HTTP://a.test HTTP/1.1\r\nHost: shop.test\r\n\r\n",
        pass("GET", "/").host("a.test"),
    );
    table.passed(
        28,
        "GET http://a.test?b HTTP/1.1\r\nHost: shop.test\r\n\r\n",
        pass("GET", "/?b").host("a.test"),
    );
    for target in [
        "http://u:p@shop.test/",
        "http://u@shop.test/",
        "http://@shop.test/",
        "ftp://shop.test/",
        "https://shop.test/",
        "ws://shop.test/",
        "http:///a",
        "http://",
        "http:/shop.test/",
        "//shop.test/",
        "http://shop.test,a.test/",
        "http://[::1/",
        "file:///etc/passwd",
        "javascript:alert(1)",
    ] {
        table.refused(29, 400, [get(target, "")]);
    }
}

fn targets(table: &mut Table) {
    table.refused(
        30,
        400,
        ["foo", "x:80", "shop.test", "shop.test:80", "?a", "a/b", "-", "."].map(|t| get(t, "")),
    );
    for target in ["shop.test:80", "/", "http://shop.test/", "*", "a.test:443"] {
        table.refused(31, 405, [format!("CONNECT {target} HTTP/1.1\r\nHost: shop.test\r\n\r\n")]);
    }
    table.refused(31, 405, ["TRACE / HTTP/1.1\r\nHost: shop.test\r\n\r\n"]);
    table.refused(32, 400, [get("*", ""), "POST * HTTP/1.1\r\nHost: shop.test\r\n\r\n".to_owned()]);
    table.add(32, "OPTIONS * HTTP/1.1\r\nHost: shop.test\r\n\r\n", Owed::Ours(204));
    table.refused(32, 400, ["OPTIONS *a HTTP/1.1\r\nHost: shop.test\r\n\r\n", "OPTIONS /* HTTP/1.1\r\n\r\n"]);
    for (host, upstream) in [
        ("SHOP.TEST", "shop.test"),
        ("shop.test.", "shop.test"),
        ("shop.test:80", "shop.test:80"),
        ("SHOP.TEST.:443", "shop.test:443"),
        ("Shop.Test:8080", "shop.test:8080"),
    ] {
        table.passed(
            33,
            with_host(host),
            pass("GET", "/").host(upstream).with("x-synkronic-version", "base"),
        );
    }
    for (host, version) in [
        ("VERSION-1.Shop.Test.:80", "version-1"),
        ("version-10.shop.test", "version-10"),
        ("version-2.xn--bcher-kva.test", "version-2"),
    ] {
        let upstream: &'static str = host.to_lowercase().replace(".:", ":").leak();
        table.passed(
            33,
            with_host(host),
            pass("GET", "/").host(upstream).with("x-synkronic-version", version),
        );
    }
    table.refused(
        34,
        400,
        [
            with_host("bücher.test"),
            with_host("xn--example-.test"),
            with_host(&format!("{}.test", "a".repeat(64))),
            with_host(&format!("{}test", "a.".repeat(125))),
            with_host("a_b.test"),
            with_host("_.shop.test"),
            with_host("\u{200b}shop.test"),
            with_host("shop\u{3002}test"),
        ],
    );
    table.passed(34, with_host("XN--BCHER-KVA.test"), pass("GET", "/").host("xn--bcher-kva.test"));
    for host in [
        "xn--a.test".to_owned(),
        "xn--0.test".to_owned(),
        format!("{}.test", "a".repeat(63)),
        format!("{}test", "a.".repeat(124)),
        "127.0.0.1".to_owned(),
        // The dot is taken off like that of a name: an address that no Router holds.
        "127.0.0.1.".to_owned(),
        "[::1]:80".to_owned(),
        "localhost".to_owned(),
    ] {
        table.add(34, with_host(&host), Owed::Ours(404));
    }
    for id in [
        "version-1.version-2",
        "version-01",
        "version-1x",
        "version-99999999999999999999",
        "version",
        "version-3",
    ] {
        table.add(35, with_host(&format!("{id}.shop.test")), Owed::Ours(404));
    }
    table.refused(35, 400, [with_host("version-.shop.test")]);
    table.passed(35, with_host("VERSION-1.shop.test"), pass("GET", "/").host("version-1.shop.test"));
}

fn paths(table: &mut Table) {
    for path in [
        "/version-2/../version-1/x",
        "/version-1/..",
        "/..",
        "/.",
        "/./",
        "/a/./b",
        "/version-1/%2e%2e/",
        "/version-1/.%2E/x",
        "/..;/x",
        "/a/..;b=c/x",
        "//version-1",
        "//evil.test/",
        "/version-1%2Fadmin",
        "/version-1%2fadmin",
        "/%2e%2e",
    ] {
        table.refused(36, 400, [get(path, "")]);
    }
    let under = |version: &str, target: &str| pass("GET", target).with("x-synkronic-version", version);
    table.passed(
        36,
        get("/version-1/x", ""),
        under("version-1", "/x").with("x-forwarded-prefix", "/version-1"),
    );
    table.passed(36, get("/version-10/x", ""), under("version-10", "/x"));
    table.passed(36, get("/%76ersion-1/x", ""), under("version-1", "/x"));
    table.passed(36, get("/version-1;x", ""), under("base", "/version-1;x"));
    table.passed(36, get("/version-1%20/x", ""), under("base", "/version-1%20/x"));
    table.passed(36, get("/VERSION-1/x", ""), under("base", "/VERSION-1/x"));
    table.passed(36, get("/a//b", ""), under("base", "/a//b"));
    table.passed(36, get("/a?/../x", ""), under("base", "/a?/../x"));
    table.passed(36, get("/...", ""), under("base", "/..."));
    // What path mode leaves must not become another authority or another path.
    table.passed(36, get("/version-1//evil.test", ""), under("version-1", "/evil.test"));
    table.add(36, get("/version-1", ""), Owed::Ours(307));
    for path in [
        "/a\\b",
        "/%00",
        "/%zz",
        "/%",
        "/%4",
        "/a\"b",
        "/a{b",
        "/a}b",
        "/é",
        "/%5c",
        "/%5C",
        "/a%3Bb",
        "/a%3fb",
        "/a%23b",
        "/a<b",
        "/a>b",
        "/a`b",
        "/%0d%0aX:%20y",
        "/%7f",
        "/%1b[2J",
    ] {
        table.refused(37, 400, [get(path, "")]);
    }
    // Browsers send these as they are.
    table.passed(37, get("/a[b]|^c", ""), pass("GET", "/a[b]|^c"));
    table.passed(37, get("/%C3%A9", ""), pass("GET", "/%C3%A9"));
    // hyper cuts a fragment off before anybody sees it: it is neither matched nor sent on.
    table.by_hyper(38, get("/a#frag", ""), Owed::Passed(pass("GET", "/a")));
    table.by_hyper(
        38,
        get("/version-2#/../version-1/x?y", "").replace("/version-2#", "/version-2/#"),
        Owed::Passed(under("version-2", "/")),
    );
    table.by_hyper(38, get("/a?b#c", ""), Owed::Passed(pass("GET", "/a?b")));
    table.refused(38, 400, [get("#a", "")]);
}

fn sizes_and_methods(table: &mut Table) {
    let long = |length: usize| format!("/{}", "a".repeat(length - 1));
    table.passed(39, get(&long(8192), ""), pass("GET", &long(8192)));
    table.refused(
        39,
        414,
        [get(&long(8193), ""), get(&long(20_000), ""), get(&format!("/?{}", long(8192)), "")],
    );
    table.refused(39, 431, [get(&long(40_000), ""), get("/", &format!("A: {}\r\n", "b".repeat(33_000)))]);
    table.refused(39, 431, [get("/", &"A: b\r\n".repeat(100)), get("/", &"A: b\r\n".repeat(300))]);
    table.refused(39, 431, [get("/", &format!("{}: b\r\n", "a".repeat(33_000)))]);
    table.passed(39, get("/", &"A: b\r\n".repeat(99)), pass("GET", "/"));
    let line = |length: usize| get("/", &format!("A: {}\r\n", "b".repeat(length - 5)));
    table.passed(39, line(16 << 10), pass("GET", "/"));
    table.refused(39, 431, [line((16 << 10) + 1), line(31 << 10)]);
    for method in ["get", "G!#$%&'*+-.^_|~", "PROPFIND", "0"] {
        table.passed(40, format!("{method} / HTTP/1.1\r\nHost: shop.test\r\n\r\n"), pass(method, "/"));
    }
    table.refused(40, 501, [format!("{} / HTTP/1.1\r\nHost: shop.test\r\n\r\n", "A".repeat(8192))]);
    table.refused(40, 501, ["PRI / HTTP/1.1\r\nHost: shop.test\r\n\r\n"]);
    table.refused(
        40,
        400,
        ["G(T", "G@T", "G/T", "G\u{e9}T", "\"GET\""]
            .map(|m| format!("{m} / HTTP/1.1\r\nHost: shop.test\r\n\r\n")),
    );
}

fn fields(table: &mut Table) {
    let listed = "X-Forwarded-For: 9.9.9.9\r\nX-Real-IP: 9.9.9.9\r\nAuthorization: Basic eA==\r\nCookie: a=b\r\n\
                  X-Synkronic-Version: version-2\r\nA: b\r\nC: d\r\n";
    const GONE: &[&str] = &["x-real-ip", "authorization", "cookie", "a", "connection"];
    let options = "close, X-Forwarded-For, X-Real-IP, Authorization, Cookie, Host, Content-Length, X-Synkronic-Version, A";
    table.add(
        41,
        post(&format!("{listed}Content-Length: 5\r\nConnection: {options}"), "hello"),
        Owed::PassedAndClosed(
            pass("POST", "/").body("hello").with("c", "d").with("x-synkronic-version", "base").without(GONE),
        ),
    );
    table.passed(
        41,
        post("Transfer-Encoding: chunked\r\nConnection: Transfer-Encoding, Host, Via, X-Request-Id, X-Forwarded-For",
            "5\r\nhello\r\n0\r\n\r\n"),
        pass("POST", "/").body("hello").with("transfer-encoding", "chunked"),
    );
    table.passed(
        42,
        get(
            "/",
            &format!(
                "{listed}Connection: keep-alive\r\nConnection: A, Cookie\r\nConnection: Authorization\r\n"
            ),
        ),
        pass("GET", "/").with("c", "d").without(GONE),
    );
    let odd =
        [get("/", "A: b\r\nConnection: ,, ,A,").into_bytes(), b",\xff\xfe,\x80\r\n\r\n".to_vec()].concat();
    let odd: Vec<u8> = {
        // The empty line that `get` puts behind the fields comes behind the odd bytes.
        let text = odd;
        let at = text.windows(4).position(|w| w == b"\r\n,\xff").unwrap();
        [&text[..at], &text[at + 2..]].concat()
    };
    table.passed(42, odd, pass("GET", "/").without(&["a", "connection"]));
    table.refused(42, 400, [get("/", &format!("Connection: {}\r\n", "a,".repeat(100)))]);
    let forged = "X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.test\r\n\
                  X-Forwarded-Port: 1\r\nX-Forwarded-Prefix: /x\r\nX-Forwarded-Server: s\r\nForwarded: for=9.9.9.9\r\n\
                  X-Real-IP: 9.9.9.9\r\nX-Original-URL: /admin\r\nX-Rewrite-URL: /admin\r\n";
    table.passed(
        43,
        get("/", forged),
        pass("GET", "/")
            .with("x-forwarded-proto", "http")
            .with("x-forwarded-host", "shop.test")
            .with("x-forwarded-port", "80")
            .without(&[
                "x-forwarded-prefix",
                "x-forwarded-server",
                "forwarded",
                "x-real-ip",
                "x-original-url",
                "x-rewrite-url",
            ]),
    );
    for name in ["X_Forwarded_For", "X-Forwarded_For", "x_real_ip"] {
        table.refused(43, 400, [get("/", &format!("{name}: 9.9.9.9\r\n"))]);
    }
    table.passed(
        44,
        get(
            "/",
            "X-Synkronic-Version: version-2\r\nx-synkronic-reason: a\r\nX-Synkronic-Anything: b\r\n\
        Baggage: synkronic-version=version-2\r\n",
        ),
        pass("GET", "/")
            .with("x-synkronic-version", "base")
            .with("baggage", "synkronic-version=base")
            .without(&["x-synkronic-reason", "x-synkronic-anything"]),
    );
    table.passed(
        45,
        get(
            "/",
            "Keep-Alive: timeout=1\r\nProxy-Connection: close\r\nProxy-Authorization: Basic eA==\r\n\
        TE: gzip, trailers\r\nTrailer: A\r\nUpgrade: foo\r\nProxy: x\r\nHTTP2-Settings: AAA\r\n",
        ),
        pass("GET", "/").without(&[
            "keep-alive",
            "proxy-connection",
            "proxy-authorization",
            "te",
            "trailer",
            "upgrade",
            "proxy",
            "http2-settings",
        ]),
    );
    table.passed(
        46,
        get("/", "Content-Type: a/b\r\nContent-Type: c/d\r\nCookie: a=1\r\nCookie: b=2\r\ncookie: c=3\r\n"),
        pass("GET", "/").with("cookie", "a=1; b=2; c=3"),
    );
    table.passed(46, get("/", &"Cookie: a=b\r\n".repeat(99)), pass("GET", "/"));
    // One server would go by the first, another by the last, and nginx refuses the two.
    table.refused(46, 400, [get("/", "Authorization: Basic eA==\r\nAuthorization: Basic eQ==\r\n")]);
    table.refused(46, 431, [get("/", &format!("Cookie: {}\r\n", "a".repeat(64 << 10)))]);
    // Over HTTP/1 the blanks are the line's, not the value's (47 is about HTTP/2).
    table.passed(47, get("/", "A: \t b \t \r\n"), pass("GET", "/").with("a", "b"));
}

fn expectations_and_upgrades(table: &mut Table) {
    for value in ["200-ok", "100-continue, x", "x"] {
        let framed = format!("Expect: {value}\r\nContent-Length: {}", LOOKALIKE.len());
        table.refused(49, 417, [post(&framed, LOOKALIKE), get("/", &format!("Expect: {value}\r\n"))]);
    }
    for upgrade in ["h2c", "H2C", "h2c, websocket", "websocket, h2c", "websocket\r\nUpgrade: h2c", "TLS/1.0"]
    {
        table.passed(50, get("/", &format!("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: {upgrade}\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n")),
            pass("GET", "/").without(&["upgrade", "connection", "http2-settings"]));
    }
    table.passed(
        51,
        get("/", "Upgrade: websocket\r\nSec-WebSocket-Key: x\r\n"),
        pass("GET", "/").without(&["upgrade", "connection"]),
    );
    table.passed(
        51,
        post("Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 5", "hello"),
        pass("POST", "/").body("hello").without(&["upgrade", "connection"]),
    );
}
