//! Which form a client wants, by `Accept` (RFC 9110 12.5.1).

use http::HeaderMap;
use http::header::ACCEPT;

/// The form of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `text/plain`: what one sees who did not ask for anything, as with curl.
    Text,
    /// `text/html`.
    Html,
    /// `application/problem+json` (RFC 9457), also for `application/json`.
    Json,
}

/// How well a form is liked: the weight in thousandths, then how exactly it is named, then how early.
type Liking = (u16, u8, isize);

impl Form {
    const ALL: [Self; 3] = [Self::Text, Self::Html, Self::Json];

    /// The form that the client likes most; text where it likes none: an error is better said than not.
    #[must_use]
    pub fn preferred(headers: &HeaderMap) -> Self {
        let mut best = (Self::Text, (0, 0, isize::MIN));
        for form in Self::ALL {
            let liking = form.liking(headers);
            if liking > best.1 && liking.0 > 0 {
                best = (form, liking);
            }
        }
        best.0
    }

    /// The most exact range that names the form decides (RFC 9110 12.5.1), not the heaviest.
    fn liking(self, headers: &HeaderMap) -> Liking {
        let lines = headers.get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok());
        let ranges = lines.flat_map(|line| line.split(','));
        let mut found: Liking = (0, 0, isize::MIN);
        for (place, range) in ranges.enumerate() {
            let mut parts = range.split(';').map(str::trim);
            let exactness = self.exactness(parts.next().unwrap_or_default());
            if exactness > found.1 {
                found = (weight(parts), exactness, -isize::try_from(place).unwrap_or(isize::MAX));
            }
        }
        found
    }

    /// 3: named; 2: its type is; 1: anything is; 0: not.
    fn exactness(self, range: &str) -> u8 {
        let is = |name: &str| range.eq_ignore_ascii_case(name);
        let (named, of_type) = match self {
            Self::Text => (is("text/plain"), is("text/*")),
            Self::Html => (is("text/html") || is("application/xhtml+xml"), is("text/*")),
            Self::Json => (is("application/problem+json") || is("application/json"), is("application/*")),
        };
        match (named, of_type, is("*/*")) {
            (true, _, _) => 3,
            (_, true, _) => 2,
            (_, _, true) => 1,
            (false, false, false) => 0,
        }
    }
}

/// The weight among a range's parameters, in thousandths (RFC 9110 12.4.2); one that is none counts as 1.
fn weight<'p>(mut parameters: impl Iterator<Item = &'p str>) -> u16 {
    let written = parameters.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    let Some(weight) = written.and_then(|text| text.parse::<f32>().ok()) else { return 1_000 };
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000 after the clamp")]
    let thousandths = (weight.clamp(0.0, 1.0) * 1_000.0) as u16;
    thousandths
}
