//! The nearest of some words, for the mistyped one.

/// The candidate that `word` most likely means: the one with the fewest letters changed, added, left out
/// or swapped, case aside, if those are at most a third of the word's (one is always allowed); of equals
/// the first.
///
/// # Examples
/// ```
/// use synkronic::api::nearest;
/// assert_eq!(nearest("replcas", ["replicas", "selector"]), Some("replicas"));
/// assert_eq!(nearest("nothing", ["replicas", "selector"]), None);
/// ```
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let mut table = Table::of(word);
    let letters = word.chars().count();
    // What is no nearer than the best so far is not worth finishing.
    let mut limit = (letters / 3).max(1);
    let mut best = None;
    for candidate in candidates {
        let length = candidate.chars().count();
        if length.abs_diff(letters) > limit {
            continue;
        }
        let Some(away) = table.distance(candidate, limit).filter(|away| *away < length) else { continue };
        best = Some(candidate);
        match away.checked_sub(1) {
            Some(nearer) => limit = nearer,
            None => break,
        }
    }
    best
}

/// The rows of the table by which a word is compared: made once for all that it is compared with.
struct Table {
    word: Vec<char>,
    other: Vec<char>,
    before_last: Vec<usize>,
    last: Vec<usize>,
    row: Vec<usize>,
}

impl Table {
    fn of(word: &str) -> Self {
        let word = word.chars().flat_map(char::to_lowercase).collect();
        Self { word, other: Vec::new(), before_last: Vec::new(), last: Vec::new(), row: Vec::new() }
    }

    /// Optimal string alignment distance, case aside: changed, added, left out, or two neighbours swapped; `None`
    /// where it is beyond the limit.
    fn distance(&mut self, other: &str, limit: usize) -> Option<usize> {
        let Self { word, other: b, before_last, last, row } = self;
        b.clear();
        b.extend(other.chars().flat_map(char::to_lowercase));
        last.clear();
        last.extend(0..=word.len());
        before_last.clear();
        for (i, cb) in b.iter().enumerate() {
            row.clear();
            row.push(i + 1);
            for (j, ca) in word.iter().enumerate() {
                let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX / 2);
                let mut best = at(last, j) + usize::from(ca != cb);
                best = best.min(at(last, j + 1) + 1).min(at(row, j) + 1);
                let swapped = j > 0 && i > 0 && b.get(i - 1) == Some(ca) && word.get(j - 1) == Some(cb);
                if swapped {
                    best = best.min(at(before_last, j - 1) + 1);
                }
                row.push(best);
            }
            // A swap reaches back over one row, so that two in a row have to be beyond it.
            let beyond = |row: &[usize]| row.iter().all(|away| *away > limit);
            if beyond(row) && beyond(last) {
                return None;
            }
            std::mem::swap(before_last, last);
            std::mem::swap(last, row);
        }
        last.last().copied().filter(|away| *away <= limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, away) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "abc", 0),
            ("abc", "acb", 1),
            ("kitten", "sitting", 3),
            ("iamge", "image", 1),
            ("acbd", "abcd", 1),
            ("ABC", "abc", 0),
        ] {
            let distance = |a, b, limit| Table::of(a).distance(b, limit);
            assert_eq!((distance(a, b, 3), distance(b, a, 3)), (Some(away), Some(away)), "{a} {b}");
            if away > 0 {
                assert_eq!((distance(a, b, away - 1), distance(b, a, away - 1)), (None, None), "{a} {b}");
            }
        }
    }

    #[test]
    fn the_nearest_is_meant_and_the_far_is_not() {
        let fields = ["name", "namespace", "version", "services", "deploymentSpec", "serviceSpec", "remove"];
        assert_eq!(nearest("deploymentspec", fields), Some("deploymentSpec"));
        assert_eq!(nearest("service", fields), Some("services"));
        assert_eq!(nearest("verison", fields), Some("version"));
        assert_eq!(nearest("colour", fields), None);
        let fields = ["args", "env", "envFrom", "image", "imagePullPolicy", "name", "ports"];
        assert_eq!(nearest("imgae", fields), Some("image"));
        assert_eq!(nearest("imagePulPolicy", fields), Some("imagePullPolicy"));
        assert_eq!(nearest("x", fields), None);
        let offered = ["base", "pr-12", "version-1", "version-2"];
        assert_eq!(nearest("verison-2", offered), Some("version-2"));
        assert_eq!(nearest("pr-21", offered), Some("pr-12"));
        assert_eq!(nearest("login", offered), None);
        assert_eq!(nearest("", offered), None);
        assert_eq!(nearest("x", []), None);
    }
}
