//! Strict readers of what the edge writes: requests upstream, responses to clients. They share no line with the
//! edge and bear nothing that RFC 9112 leaves to a recipient's leniency.

/// A request as it stands on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    pub target: String,
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// All of its bytes.
    pub raw: Vec<u8>,
}

impl Request {
    /// The values of a field, in their order.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.fields.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_str()).collect()
    }

    /// The value of a field that is there once.
    pub fn one(&self, name: &str) -> Option<&str> {
        match self.all(name)[..] {
            [value] => Some(value),
            _ => None,
        }
    }
}

/// A response as it stands on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    /// The value of a field that is there once.
    pub fn one(&self, name: &str) -> Option<&str> {
        let mut values = self.fields.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        let value = values.next().map(|(_, value)| value.as_str());
        values.next().is_none().then_some(value).flatten()
    }
}

/// What can be read at the beginning of some bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read<T> {
    /// A whole message, and how many bytes it has.
    Whole(T, usize),
    /// The beginning of one; the fields as far as they are there.
    Partial(Vec<(String, String)>),
    /// None at all, and why.
    Malformed(String),
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// A head's first line and fields; nothing where its end has not come.
type Head = (String, Vec<(String, String)>, usize);

fn head(bytes: &[u8]) -> Result<Option<Head>, String> {
    let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") else {
        return Ok(None);
    };
    // Latin-1, so that each byte is one character.
    let text: String = bytes[..end].iter().map(|b| char::from(*b)).collect();
    if text.replace("\r\n", "").contains(['\r', '\n', '\0']) {
        return Err(format!("a bare CR, LF or NUL in {text:?}"));
    }
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap_or_default().to_owned();
    let mut fields = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(':').ok_or_else(|| format!("no colon in {line:?}"))?;
        if !is_token(name) {
            return Err(format!("{name:?} is no field name"));
        }
        let value = value.strip_prefix(' ').unwrap_or(value);
        if value.starts_with([' ', '\t']) || value.ends_with([' ', '\t']) {
            return Err(format!("blanks around {value:?}"));
        }
        if value.chars().any(|c| c.is_ascii_control() && c != '\t') {
            return Err(format!("a control character in {value:?}"));
        }
        fields.push((name.to_owned(), value.to_owned()));
    }
    Ok(Some((first, fields, end + 4)))
}

/// How the bytes behind a head are framed, by its fields.
enum Framing {
    None,
    Length(usize),
    Chunked,
}

fn framing(fields: &[(String, String)]) -> Result<Framing, String> {
    let all = |name: &str| -> Vec<&str> {
        fields.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str()).collect()
    };
    match (&all("content-length")[..], &all("transfer-encoding")[..]) {
        ([], []) => Ok(Framing::None),
        ([length], []) => {
            let number: usize = length.parse().map_err(|_| format!("Content-Length {length:?}"))?;
            if number.to_string() == *length {
                Ok(Framing::Length(number))
            } else {
                Err(format!("Content-Length {length:?}"))
            }
        }
        ([], ["chunked"]) => Ok(Framing::Chunked),
        (lengths, codings) => Err(format!("framed as {lengths:?} and {codings:?}")),
    }
}

/// The body in chunks: no extension, no trailer; `plainly` also no leading zero and no capital.
fn chunks(bytes: &[u8], plainly: bool) -> Result<Option<(Vec<u8>, usize)>, String> {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let Some(end) = bytes[at..].windows(2).position(|w| w == b"\r\n") else {
            return if bytes.len() - at > 16 { Err("an endless chunk size".to_owned()) } else { Ok(None) };
        };
        let digits = std::str::from_utf8(&bytes[at..at + end]).map_err(|error| error.to_string())?;
        let size = usize::from_str_radix(digits, 16).map_err(|_| format!("chunk size {digits:?}"))?;
        if plainly && format!("{size:x}") != digits {
            return Err(format!("chunk size {digits:?}"));
        }
        at += end + 2;
        if bytes.len() < at + size + 2 {
            return Ok(None);
        }
        body.extend_from_slice(&bytes[at..at + size]);
        at += size;
        if &bytes[at..at + 2] != b"\r\n" {
            return Err("no CRLF behind a chunk".to_owned());
        }
        at += 2;
        if size == 0 {
            return Ok(Some((body, at)));
        }
    }
}

/// Reads one request.
pub fn request(bytes: &[u8]) -> Read<Request> {
    match read_request(bytes) {
        Ok(read) => read,
        Err(why) => Read::Malformed(why),
    }
}

/// Reads one request of anybody who writes HTTP/1.1 plainly.
pub fn any_request(bytes: &[u8]) -> Read<Request> {
    let read = || {
        let Some((line, fields, length)) = head(bytes)? else { return Ok(Read::Partial(Vec::new())) };
        let [method, target, "HTTP/1.1"] = line.split(' ').collect::<Vec<_>>()[..] else {
            return Err(format!("{line:?} is no request line"));
        };
        let fields = fields.into_iter().map(|(name, value)| (name.to_lowercase(), value)).collect();
        with_body(bytes, method, target, fields, length, false)
    };
    read().unwrap_or_else(Read::Malformed)
}

fn read_request(bytes: &[u8]) -> Result<Read<Request>, String> {
    let Some((line, fields, length)) = head(bytes)? else { return Ok(Read::Partial(Vec::new())) };
    let [method, target, "HTTP/1.1"] = line.split(' ').collect::<Vec<_>>()[..] else {
        return Err(format!("{line:?} is no request line"));
    };
    let sound = target.starts_with('/') && !target.starts_with("//") && !target.contains('#');
    // Queries go on as they came, and what comes may have bytes beyond ASCII.
    let path = target.split('?').next().unwrap_or_default();
    if !is_token(method)
        || !sound
        || !path.bytes().all(|b| b.is_ascii_graphic())
        || path.contains(char::is_control)
    {
        return Err(format!("{line:?} is no request line of ours"));
    }
    if let Some((name, _)) =
        fields.iter().find(|(name, _)| name.contains('_') || *name != name.to_lowercase())
    {
        return Err(format!("a field {name:?}"));
    }
    for once in ["host", "via", "x-forwarded-for", "x-request-id", "x-synkronic-version"] {
        if fields.iter().filter(|(name, _)| name == once).count() != 1 {
            return Err(format!("not one {once} in {fields:?}"));
        }
    }
    with_body(bytes, method, target, fields, length, true)
}

/// The request with this head, once its body is there.
fn with_body(
    bytes: &[u8],
    method: &str,
    target: &str,
    fields: Vec<(String, String)>,
    length: usize,
    plainly: bool,
) -> Result<Read<Request>, String> {
    let (body, end) = match framing(&fields)? {
        Framing::None => (Vec::new(), 0),
        Framing::Length(n) if bytes.len() < length + n => return Ok(Read::Partial(fields)),
        Framing::Length(n) => (bytes[length..length + n].to_vec(), n),
        Framing::Chunked => match chunks(&bytes[length..], plainly)? {
            Some(read) => read,
            None => return Ok(Read::Partial(fields)),
        },
    };
    let (method, target) = (method.to_owned(), target.to_owned());
    let raw = bytes[..length + end].to_vec();
    Ok(Read::Whole(Request { method, target, fields, body, raw }, length + end))
}

/// Reads one response to a request with this method.
pub fn response(bytes: &[u8], method: &str) -> Read<Response> {
    match read_response(bytes, method) {
        Ok(read) => read,
        Err(why) => Read::Malformed(why),
    }
}

fn read_response(bytes: &[u8], method: &str) -> Result<Read<Response>, String> {
    let Some((line, fields, length)) = head(bytes)? else { return Ok(Read::Partial(Vec::new())) };
    let known = line.strip_prefix("HTTP/1.1 ").or(line.strip_prefix("HTTP/1.0 "));
    let status: u16 = known
        .and_then(|rest| rest.get(..3)?.parse().ok())
        .ok_or_else(|| format!("{line:?} is no status line"))?;
    let framing = framing(&fields)?;
    let bodiless = method == "HEAD" || matches!(status, 100..=199 | 204 | 304);
    let (body, end) = match framing {
        Framing::None | Framing::Length(_) | Framing::Chunked if bodiless => (Vec::new(), 0),
        // To the end of the connection; whoever asks has all of it.
        Framing::None => (bytes[length..].to_vec(), bytes.len() - length),
        Framing::Length(n) if bytes.len() < length + n => return Ok(Read::Partial(fields)),
        Framing::Length(n) => (bytes[length..length + n].to_vec(), n),
        Framing::Chunked => match chunks(&bytes[length..], false)? {
            Some(read) => read,
            None => return Ok(Read::Partial(fields)),
        },
    };
    Ok(Read::Whole(Response { status, fields, body }, length + end))
}
