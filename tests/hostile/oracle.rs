//! What goes upstream is read by others, too: the same requests by all, or the input should have been refused.
//!
//! Needs h11, llhttp, Node, nginx and HAProxy, so `tests/hostile/run` runs it. `SYNKRONIC_HOSTILE_INPUTS` says how many
//! inputs are made up (4,000), `SYNKRONIC_HOSTILE_SEED` from which seed (1).

use std::collections::BTreeMap;
use std::thread;

use synkronic::edge::Config;

use super::grammar::{self, Dice};
use super::lines;
use super::peers::{self, Reader, Readings, Server, Told};
use super::reading::Response;
use super::rig::{Outcome, Rig};

/// The request behind each input.
const MARKER: &[u8] = b"GET /marker HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n";
/// What ends a connection to a peer.
const END: &[u8] = b"GET /end HTTP/1.1\r\nHost: end.test\r\nConnection: close\r\n\r\n";
/// Inputs at a time.
const BATCH: usize = 1_000;

/// An input and where it is cut.
struct Input {
    bytes: Vec<u8>,
    cuts: Vec<usize>,
}

/// What is counted.
#[derive(Default)]
struct Sums {
    inputs: usize,
    /// Inputs of which something went upstream, and requests that did.
    passed: usize,
    requests: usize,
    /// Connections that a peer read to the end, and those it refused, with why.
    read: BTreeMap<&'static str, usize>,
    refused: BTreeMap<(&'static str, String), (usize, String)>,
    /// Inputs that both the edge and a reader of the input take: compared.
    compared: BTreeMap<&'static str, usize>,
    /// Inputs of which the edge takes more requests than the reader does.
    bolder: BTreeMap<(&'static str, String), (usize, String)>,
}

/// All the peers.
struct Peers {
    h11: Reader,
    llhttp: Reader,
    servers: Vec<Server>,
}

#[test]
#[ignore = "needs h11, llhttp, node, nginx and haproxy: tests/hostile/run"]
fn what_goes_upstream_reads_the_same_to_all() {
    let number =
        |name: &str, default: usize| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let (count, seed) =
        (number("SYNKRONIC_HOSTILE_INPUTS", 4_000), number("SYNKRONIC_HOSTILE_SEED", 1) as u64);
    let rig = Rig::new(&Config { workers: 1, ..Config::default() });
    let folder = tempfile::tempdir().unwrap();
    let mut peers = Peers {
        h11: Reader::start("h11"),
        llhttp: Reader::start("llhttp"),
        servers: peers::servers(folder.path()),
    };
    let mut sums = Sums::default();
    let table: Vec<Input> =
        lines::all().into_iter().map(|case| Input { bytes: case.bytes, cuts: Vec::new() }).collect();
    try_all(&rig, &mut peers, &table, &mut sums);
    let mut next = 0;
    while next < count {
        let numbers = next..count.min(next + BATCH);
        next = numbers.end;
        let inputs: Vec<Input> = numbers
            .map(|number| {
                let (bytes, cuts) = grammar::input(&mut Dice::new(seed, number as u64));
                Input { bytes, cuts }
            })
            .collect();
        try_all(&rig, &mut peers, &inputs, &mut sums);
    }
    tell(&sums, table.len(), seed);
}

fn try_all(rig: &Rig, peers: &mut Peers, inputs: &[Input], sums: &mut Sums) {
    let messages: Vec<Vec<u8>> = inputs.iter().map(|input| [&input.bytes, MARKER].concat()).collect();
    let pieces: Vec<Vec<&[u8]>> =
        messages.iter().zip(inputs).map(|(message, input)| cut(message, &input.cuts)).collect();
    let outcomes = rig.send(&pieces, true);
    let mut upstream = Vec::new();
    for (message, outcome) in messages.iter().zip(&outcomes) {
        if let Err(why) = sound(outcome) {
            panic!("{why}\nof {:?}\n{outcome:#?}", String::from_utf8_lossy(message));
        }
        sums.inputs += 1;
        if !outcome.seen.whole.is_empty() {
            sums.passed += 1;
            sums.requests += outcome.seen.whole.len();
            let raw: Vec<&[u8]> = outcome.seen.whole.iter().map(|request| &*request.raw).collect();
            upstream.push((message, outcome, [&raw.concat(), END].concat()));
        }
    }
    let streams: Vec<Vec<u8>> = upstream.iter().map(|(_, _, stream)| stream.clone()).collect();
    let Peers { h11, llhttp, servers } = peers;
    let (streams, messages) = (&streams, &messages);
    let (read, of_inputs) = thread::scope(|scope| {
        let h11 = scope.spawn(move || (h11.read(streams), h11.read(messages)));
        let llhttp = scope.spawn(move || (llhttp.read(streams), llhttp.read(messages)));
        let served: Vec<_> =
            servers.iter().map(|server| (server.name, scope.spawn(move || server.read(streams)))).collect();
        let (h11, llhttp) = (h11.join().unwrap(), llhttp.join().unwrap());
        let mut read = vec![("h11", h11.0), ("llhttp", llhttp.0)];
        read.extend(served.into_iter().map(|(name, readings)| (name, readings.join().unwrap())));
        (read, [("h11", h11.1), ("llhttp", llhttp.1)])
    });
    for (name, readings) in read {
        for ((message, outcome, stream), reading) in upstream.iter().zip(readings) {
            same(name, message, outcome, stream, reading, sums);
        }
    }
    for (name, readings) in of_inputs {
        for ((message, outcome), reading) in messages.iter().zip(&outcomes).zip(readings) {
            no_more_than_meant(name, message, outcome, &reading, sums);
        }
    }
}

fn cut<'m>(message: &'m [u8], cuts: &[usize]) -> Vec<&'m [u8]> {
    let ends = cuts.iter().copied().chain([message.len()]);
    let begins = std::iter::once(0).chain(cuts.iter().copied());
    begins.zip(ends).map(|(begin, end)| &message[begin..end]).filter(|piece| !piece.is_empty()).collect()
}

/// What holds of every outcome, whatever was sent.
fn sound(outcome: &Outcome) -> Result<(), String> {
    if !outcome.rest.is_empty() {
        return Err("half an answer".to_owned());
    }
    let answers: Vec<&Response> = outcome.answers.iter().filter(|answer| answer.status != 100).collect();
    let last = answers.iter().position(|answer| answer.one("connection") == Some("close"));
    if last.is_some_and(|at| at + 1 < answers.len()) {
        return Err("an answer behind the last one".to_owned());
    }
    // The upstream answers 200, and nobody else does.
    let relayed: Vec<&&Response> = answers.iter().filter(|answer| answer.status == 200).collect();
    if relayed.len() != outcome.seen.whole.len() {
        return Err(format!("{} requests upstream, {} answers", outcome.seen.whole.len(), relayed.len()));
    }
    for (answer, request) in relayed.iter().zip(&outcome.seen.whole) {
        let told: Vec<u8> = format!("{} {}", request.method, request.target)
            .chars()
            .map(|c| u8::try_from(u32::from(c)).unwrap())
            .collect();
        let utf8 = format!("{} {}", request.method, request.target).into_bytes();
        if request.method != "HEAD" && answer.body != told && answer.body != utf8 {
            return Err("an answer to something else".to_owned());
        }
    }
    Ok(())
}

/// Whether a peer reads upstream's bytes as they were meant; it may refuse, but not read otherwise.
fn same(
    name: &'static str,
    message: &[u8],
    outcome: &Outcome,
    stream: &[u8],
    reading: Readings,
    sums: &mut Sums,
) {
    let mut meant: Vec<Told> = outcome.seen.whole.iter().map(Told::of).collect();
    meant.push(Told::of(&end()));
    let read = reading.requests;
    let agree = match &reading.refused {
        None => read == meant,
        Some(_) => meant.starts_with(&read),
    };
    assert!(
        agree,
        "{name} reads {read:#?} ({:?})\nwhere {meant:#?}\nwas meant; upstream went {:?}\nof {:?}",
        reading.refused,
        String::from_utf8_lossy(stream),
        String::from_utf8_lossy(message)
    );
    match reading.refused {
        None => *sums.read.entry(name).or_default() += 1,
        Some(why) => {
            // Any of the rest: Node refuses the first for what it has seen behind it.
            let rest = outcome.seen.whole.get(read.len()..).unwrap_or_default();
            let kinds = rest.iter().map(|request| kind(&request.method, &request.target));
            let of = kinds.reduce(|one, next| if one == PLAIN { next } else { one }).unwrap_or(PLAIN);
            let shown = || (0, String::from_utf8_lossy(stream).into_owned());
            sums.refused.entry((name, format!("{of}: {why}"))).or_insert_with(shown).0 += 1;
        }
    }
}

/// What every peer must take.
const PLAIN: &str = "nothing odd";

/// Peers have opinions on methods and on queries; all else they must take.
fn kind(method: &str, target: &str) -> &'static str {
    const USUAL: [&str; 8] = ["GET", "POST", "PUT", "HEAD", "DELETE", "OPTIONS", "PATCH", "PROPFIND"];
    if !USUAL.contains(&method) {
        "a method"
    } else if !target.is_ascii() {
        "a query beyond ASCII"
    } else {
        PLAIN
    }
}

fn end() -> super::reading::Request {
    match super::reading::any_request(END) {
        super::reading::Read::Whole(end, _) => end,
        other => panic!("{other:?}"),
    }
}

/// Whether a reader of the input sees the same requests, as far as both go: whoever stands before the edge must not
/// have meant something else.
fn no_more_than_meant(
    name: &'static str,
    message: &[u8],
    outcome: &Outcome,
    reading: &Readings,
    sums: &mut Sums,
) {
    // What the edge answers itself is no request upstream; so requests are told apart only where it passed all.
    let answers = outcome.answers.iter().filter(|answer| answer.status != 100);
    let passed = answers.take_while(|answer| answer.status == 200).count();
    for (at, request) in outcome.seen.whole.iter().take(passed).enumerate() {
        let ours = Told::of(request);
        match reading.requests.get(at) {
            Some(theirs) => {
                let agree = theirs.method == ours.method
                    && theirs.body == ours.body
                    && (edits(message) || theirs.target == ours.target)
                    && (is_absolute(message) || plain_host(&theirs.host) == ours.host);
                assert!(
                    agree,
                    "{name} reads the input's request {at} as {theirs:?}, we as {ours:?}: {:?}",
                    String::from_utf8_lossy(message)
                );
                *sums.compared.entry(name).or_default() += 1;
            }
            None => {
                let why = reading.refused.clone().unwrap_or_else(|| "it closes".to_owned());
                let shown = || (0, String::from_utf8_lossy(message).into_owned());
                sums.bolder.entry((name, why)).or_insert_with(shown).0 += 1;
                return;
            }
        }
    }
}

/// Whether a target may go upstream otherwise than it came: without its authority, fragment, prefix or needless escapes.
fn edits(message: &[u8]) -> bool {
    let has = |what: &[u8]| message.windows(what.len()).any(|w| w == what);
    is_absolute(message) || has(b"#") || has(b"%") || has(b"/version-")
}

/// Whether a target may name the host, which then counts in the place of `Host`.
fn is_absolute(message: &[u8]) -> bool {
    message.windows(3).any(|w| w == b"://")
}

/// A host as the edge writes it: lower-case, without the dot at its end.
fn plain_host(host: &str) -> String {
    let host = host.to_ascii_lowercase().replace(".:", ":");
    host.strip_suffix('.').unwrap_or(&host).to_owned()
}

fn tell(sums: &Sums, table: usize, seed: u64) {
    say!("inputs: {} ({table} of the table, the rest made up from seed {seed})", sums.inputs);
    say!(
        "of {} something went upstream, {} requests in all; no answer, no request too many",
        sums.passed,
        sums.requests
    );
    for (name, count) in &sums.read {
        say!(
            "{name}: reads {count} connections as they were meant, every request with its method, target, host and body"
        );
    }
    for ((name, why), (count, first)) in &sums.refused {
        say!("{name}: refuses {count} of what went upstream, for {why}, the first {first:?}");
    }
    for (name, count) in &sums.compared {
        say!("{name}: reads {count} requests of the inputs themselves as the edge does");
    }
    for ((name, why), (count, first)) in &sums.bolder {
        say!("{name}: reads {count} inputs less far than the edge ({why}), the first {first:?}");
    }
    let odd: Vec<_> = sums.refused.keys().filter(|(_, why)| why.starts_with(PLAIN)).collect();
    assert!(odd.is_empty(), "peers refuse what is nothing odd: {odd:?}");
}
