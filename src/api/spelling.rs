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
    let lower = word.to_lowercase();
    let letters = word.chars().count();
    let limit = (letters / 3).max(1);
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let length = candidate.chars().count();
            if length.abs_diff(letters) > limit {
                return None;
            }
            let away = distance(&lower, &candidate.to_lowercase());
            (away <= limit && away < length).then_some((away, candidate))
        })
        .min_by_key(|(away, _)| *away)
        .map(|(_, candidate)| candidate)
}

/// Optimal string alignment distance: changed, added, left out, or two neighbours swapped.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    // The last two rows of the usual table, and the one in the making.
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, cb) in b.iter().enumerate() {
            let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX / 2);
            let swapped = j > 0 && i > 0 && a.get(i - 1) == Some(cb) && b.get(j - 1) == Some(ca);
            let mut best = at(&last, j) + usize::from(ca != cb);
            best = best.min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            if swapped {
                best = best.min(at(&before_last, j - 1) + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0)
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
        ] {
            assert_eq!((distance(a, b), distance(b, a)), (away, away), "{a} {b}");
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
