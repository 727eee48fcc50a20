//! The order of a merged list: the overlay's elements in the overlay's order, the base's in the base's.

/// One element, and where it stood in the overlay (or its `$setElementOrder`) and in the base.
#[derive(Debug)]
pub(super) struct Placed<T> {
    pub value: T,
    pub asked: Option<usize>,
    pub base: Option<usize>,
}

/// Puts the elements in order: those that were asked for keep the order asked for, the rest keep the base's,
/// and the two are interleaved by the base's order where both were in the base.
///
/// An element that is new goes before the next asked one that the base had; with none to come, behind the
/// rest. `strict` is `$setElementOrder`: then a new element goes before whatever was not asked for, as in
/// Kubernetes' own merge.
pub(super) fn interleave<T>(elements: Vec<Placed<T>>, strict: bool) -> Vec<T> {
    let (mut asked, mut rest): (Vec<_>, Vec<_>) = elements.into_iter().partition(|e| e.asked.is_some());
    asked.sort_by_key(|element| element.asked);
    rest.sort_by_key(|element| element.base);
    // For each asked element, the place in the base that decides: its own, else the next one's.
    let mut next = None;
    let mut places: Vec<Option<usize>> = Vec::with_capacity(asked.len());
    for element in asked.iter().rev() {
        next = element.base.or(if strict { None } else { next });
        places.push(next);
    }
    let mut asked = asked.into_iter().zip(places.into_iter().rev()).peekable();
    let mut rest = rest.into_iter().peekable();
    let mut merged = Vec::new();
    loop {
        let take_rest = match (rest.peek(), asked.peek()) {
            (None, None) => break,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (Some(left), Some((_, place))) => match place {
                Some(place) => left.base.is_some_and(|base| base < *place),
                None => !strict,
            },
        };
        let element = if take_rest { rest.next() } else { asked.next().map(|(element, _)| element) };
        merged.extend(element.map(|element| element.value));
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(base: &str, asked: &str, strict: bool) -> String {
        let mut elements: Vec<Placed<char>> = base
            .chars()
            .enumerate()
            .map(|(index, c)| Placed { value: c, asked: asked.find(c), base: Some(index) })
            .collect();
        let new = asked.chars().enumerate().filter(|(_, c)| !base.contains(*c));
        elements.extend(new.map(|(index, c)| Placed { value: c, asked: Some(index), base: None }));
        interleave(elements, strict).into_iter().collect()
    }

    #[test]
    fn the_overlays_order_holds_and_new_ones_go_behind() {
        for (base, asked, merged) in [
            ("ab", "", "ab"),
            ("ab", "c", "abc"),
            ("ab", "ba", "ba"),
            ("ab", "ca", "cab"),
            ("ab", "cb", "acb"),
            ("ab", "ac", "abc"),
            ("abcd", "dx", "abcdx"),
            ("abcd", "db", "acdb"),
            ("", "xy", "xy"),
        ] {
            assert_eq!(order(base, asked, false), merged, "{base} + {asked}");
        }
        assert_eq!(order("ab", "c", true), "cab", "as Kubernetes orders by $setElementOrder");
        assert_eq!(order("abc", "ca", true), "bca");
    }
}
