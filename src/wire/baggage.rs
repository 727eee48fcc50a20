//! The W3C `baggage` field with the chosen version in it, so that services behind can follow it.
//!
//! Members of others pass as they are; a `synkronic-version` that came along is replaced. Members that would
//! take the whole beyond what every receiver must take (8192 bytes, 64 members) are left out.

use http::HeaderMap;

/// Our member's key.
const KEY: &[u8] = b"synkronic-version";
/// W3C Baggage 3.3.2: what a platform must propagate.
const MAX_BYTES: usize = 8192;
const MAX_MEMBERS: usize = 64;

/// Writes the value: our member first, then those of the `baggage` lines in `headers`.
pub fn write(out: &mut Vec<u8>, version: &str, headers: Option<&HeaderMap>) {
    let start = out.len();
    out.extend_from_slice(KEY);
    out.push(b'=');
    out.extend_from_slice(version.as_bytes());
    let Some(headers) = headers else { return };
    let lines = headers.get_all("baggage").iter();
    let members = lines
        .flat_map(|line| line.as_bytes().split(|b| *b == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|member| !member.is_empty() && !is_ours(member));
    for member in members.take(MAX_MEMBERS - 1) {
        if out.len() - start + 1 + member.len() > MAX_BYTES {
            return;
        }
        out.push(b',');
        out.extend_from_slice(member);
    }
}

fn is_ours(member: &[u8]) -> bool {
    let key = member.split(|b| matches!(b, b'=' | b';')).next().unwrap_or_default();
    key.trim_ascii().eq_ignore_ascii_case(KEY)
}

#[cfg(test)]
mod tests;
