//! The nearest spelling.

/// The candidate that takes the fewest changes of one character (a swap of neighbours is one), where that
/// is at most a third of the name; of several the first.
pub(super) fn nearest<'c>(named: &str, candidates: &[&'c str]) -> Option<&'c str> {
    let allowed = (named.chars().count() / 3).max(1);
    let distances = candidates.iter().map(|candidate| (distance(named, candidate), *candidate));
    distances
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, it)| it)
}

/// Damerau's distance, each piece changed at most once.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > a.len() {
        return usize::MAX;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &from) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &to) in b.iter().enumerate() {
            let at = |row: &[usize], place: usize| row.get(place).copied().unwrap_or(usize::MAX / 2);
            let mut best =
                (at(&last, j) + usize::from(from != to)).min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            let swapped = j > 0 && i > 0 && b.get(j - 1) == Some(&from) && a.get(i - 1) == Some(&to);
            if swapped {
                best = best.min(at(&before, j - 1) + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_slips_are_seen_and_other_words_are_not() {
        let offered = ["base", "pr-12", "version-1", "version-2"];
        assert_eq!(nearest("verison-2", &offered), Some("version-2"));
        assert_eq!(nearest("version2", &offered), Some("version-2"));
        assert_eq!(nearest("pr-21", &offered), Some("pr-12"));
        assert_eq!(nearest("login", &offered), None);
        assert_eq!(nearest("", &offered), None);
        assert_eq!((distance("ca", "abc"), distance("ab", "ba"), distance("", "ab")), (3, 1, usize::MAX));
    }
}
