//! Which version a described request gets: the edge's own guard first, then the table. Pure.

use crate::routes::explain::{Described, Explanation};
use crate::routes::{Facts, Table};
use crate::wire::Scheme;
use crate::wire::guard::{Admission, Terms, examine};

/// What the edge would do with a request, by the guard's defaults, and why.
#[must_use]
pub fn explain(table: &Table, described: &Described) -> Explanation {
    let parts = &described.parts;
    // Nobody is called nothing, so no `Via` makes a loop of it.
    let terms = Terms::new(Scheme::Http, String::new());
    match examine(parts, &terms) {
        Ok(Admission::Route(admitted)) => table.explain(&Facts {
            method: &parts.method,
            host: &admitted.host,
            path: &admitted.path,
            query: admitted.query,
            headers: &parts.headers,
            client: described.client,
            // Described is what the edge believes, as the client's address is.
            trusted: true,
        }),
        Ok(Admission::OurOptions) => {
            Explanation::answered(described, 204, "`OPTIONS` that asks the edge itself, by Max-Forwards")
        }
        Err(refusal) => {
            let told = refusal.told();
            Explanation::answered(described, told.status.as_u16(), told.sentence)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::routes::Route;

    fn told(method: &str, url: &str, headers: &[&str]) -> (Option<u16>, Option<String>) {
        let route = Arc::new(Route::trial("shop", "shop", "version-2", vec![]));
        let table = Table::of_hosts(7, [("shop.test".into(), route)]);
        let outcome = explain(&table, &Described::parse(method, url, headers, None).unwrap()).outcome;
        (outcome.status, outcome.version)
    }

    #[test]
    fn what_the_edge_refuses_is_explained_as_refused() {
        for (method, url, headers, status) in [
            ("GET", "shop.test/a%2Fb", &[][..], 400),
            ("GET", "shop.test/a/../b", &[], 400),
            ("GET", "shop.test/", &["X_QA: blue"], 400),
            ("GET", "shop.test/", &["Host: shop.test", "Host: shop.test"], 400),
            ("GET", "shop.test/", &["Transfer-Encoding: gzip"], 400),
            ("GET", "v2.-x.shop.test/", &[], 400),
            ("TRACE", "shop.test/", &[], 405),
            ("GET", "shop.test/", &["Expect: the best"], 417),
            ("OPTIONS", "shop.test/", &["Max-Forwards: 0"], 204),
            ("GET", "nobody.test/", &[], 404),
        ] {
            assert_eq!(told(method, url, headers), (Some(status), None), "{method} {url} {headers:?}");
        }
    }

    #[test]
    fn what_the_guard_reads_is_what_the_table_is_asked() {
        for url in ["http://shop.test/", "SHOP.test.:8080/%61", "http://me@shop.test/"] {
            assert_eq!(told("GET", url, &[]), (Some(503), Some("version-2".to_owned())), "{url}");
        }
    }
}
