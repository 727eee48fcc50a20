//! The flags that every command with an edge shares, as typed; and as meant: an [`Config`].
//!
//! Every flag has an environment form `SYNKRONIC_…`. Durations are written as `500ms` or `1m30s`, sizes as
//! `32KiB`. It starts nothing.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use clap::{Args, ValueEnum};
use ipnet::IpNet;

use crate::edge::{AccessLog, Config, Limits};
use crate::routes;

/// Where to listen, and whom to believe.
#[derive(Debug, Clone, Args)]
pub struct EdgeFlags {
    /// Address to serve HTTP on; repeatable, port 0 takes a free one, `:8080` means on every address
    #[arg(long, value_name = "ADDR", env = "SYNKRONIC_LISTEN", value_delimiter = ',', value_parser = address)]
    pub listen: Vec<SocketAddr>,
    /// Address for health, metrics, table and explanations; repeatable, port 0 takes a free one
    #[arg(long, value_name = "ADDR", env = "SYNKRONIC_ADMIN", value_delimiter = ',', value_parser = address)]
    pub admin: Vec<SocketAddr>,
    /// Threads that serve requests; 0 means one a core
    #[arg(long, value_name = "N", env = "SYNKRONIC_WORKERS", default_value_t = 0)]
    pub workers: usize,
    /// Networks of proxies whose X-Forwarded-* fields are believed; repeatable
    #[arg(long, value_name = "CIDR", env = "SYNKRONIC_TRUSTED_PROXIES", value_delimiter = ',', value_parser = network)]
    pub trusted_proxies: Vec<IpNet>,
    /// Where the access log goes: off, stdout, stderr or a file
    #[arg(long, value_name = "WHERE", env = "SYNKRONIC_ACCESS_LOG", default_value = "off")]
    pub access_log: AccessLog,
    /// Cookies stay with the host that set them: a wider Domain is taken out of every answer
    #[arg(long, env = "SYNKRONIC_CONFINE_COOKIES", value_parser = switch)]
    pub confine_cookies: bool,
    #[command(flatten)]
    limits: LimitFlags,
}

/// Limits and timers.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Limits and timers")]
struct LimitFlags {
    /// A request's head must be whole after this long
    #[arg(long, value_name = "TIME", env = "SYNKRONIC_HEAD_TIMEOUT", default_value = "10s", value_parser = time)]
    head_timeout: Duration,
    /// A client's connection without a request is closed after this long
    #[arg(long, value_name = "TIME", env = "SYNKRONIC_IDLE_TIMEOUT", default_value = "60s", value_parser = time)]
    idle_timeout: Duration,
    /// The upstream must begin its answer within this long after the request's last byte
    #[arg(long, value_name = "TIME", env = "SYNKRONIC_RESPONSE_TIMEOUT", default_value = "60s", value_parser = time)]
    response_timeout: Duration,
    /// A body or a WebSocket on which nothing moves is ended after this long
    #[arg(long, value_name = "TIME", env = "SYNKRONIC_STREAM_TIMEOUT", default_value = "5m", value_parser = time)]
    stream_timeout: Duration,
    /// An upstream connection must stand after this long
    #[arg(long, value_name = "TIME", env = "SYNKRONIC_CONNECT_TIMEOUT", default_value = "1s", value_parser = time)]
    connect_timeout: Duration,
    /// Without an upstream connection after this long, another endpoint is tried beside the first
    #[arg(long, value_name = "TIME", env = "SYNKRONIC_HEDGE_AFTER", default_value = "250ms", value_parser = time)]
    hedge_after: Duration,
    /// Bytes a second that a slow body, or a client that takes its answer slowly, must make after 10 s
    #[arg(long, value_name = "SIZE", env = "SYNKRONIC_MIN_RATE", default_value = "1KiB", value_parser = size)]
    min_rate: u64,
    /// The most bytes of a request's head
    #[arg(long, value_name = "SIZE", env = "SYNKRONIC_MAX_HEAD", default_value = "32KiB", value_parser = size)]
    max_head: u64,
    /// The most fields of a request's head, up to 100
    #[arg(long, value_name = "N", env = "SYNKRONIC_MAX_FIELDS", default_value_t = 100, value_parser = fields)]
    max_fields: usize,
    /// The most bytes of a request's target
    #[arg(long, value_name = "SIZE", env = "SYNKRONIC_MAX_TARGET", default_value = "8KiB", value_parser = size)]
    max_target: u64,
    /// The most connections of clients; what comes beyond is closed at once
    #[arg(long, value_name = "N", env = "SYNKRONIC_MAX_CONNECTIONS", default_value_t = 10_000)]
    max_connections: usize,
    /// The most connections of one client address (IPv6: of one /64), trusted proxies exempt; 0 is no limit
    #[arg(long, value_name = "N", env = "SYNKRONIC_MAX_CONNECTIONS_PER_SOURCE", default_value_t = 0)]
    max_connections_per_source: usize,
    /// The most requests and WebSockets in flight of one version; what comes beyond gets 503
    #[arg(long, value_name = "N", env = "SYNKRONIC_MAX_IN_FLIGHT_PER_VERSION", default_value_t = 2_500)]
    max_in_flight_per_version: u32,
    /// Bytes to be sent that the kernel may hold for one connection; 0 leaves it to the kernel
    #[arg(long, value_name = "SIZE", env = "SYNKRONIC_MAX_UNSENT", default_value = "128KiB", value_parser = size)]
    max_unsent: u64,
    /// Bytes received that the kernel may hold for one connection; 0 leaves it to the kernel
    #[arg(long, value_name = "SIZE", env = "SYNKRONIC_RECEIVE_BUFFER", default_value = "256KiB", value_parser = size)]
    receive_buffer: u64,
    /// An upstream connection waits in the pool for this long at most
    #[arg(long, value_name = "TIME", env = "SYNKRONIC_POOL_IDLE", default_value = "4s", value_parser = time)]
    pool_idle: Duration,
    /// The most upstream connections that wait, per endpoint and thread
    #[arg(long, value_name = "N", env = "SYNKRONIC_POOL_SIZE", default_value_t = 64)]
    pool_size: usize,
    /// On leaving: how long connections are still accepted as before
    #[arg(long, value_name = "TIME", env = "SYNKRONIC_DRAIN_DELAY", default_value = "0s", value_parser = time)]
    drain_delay: Duration,
    /// On leaving: how long requests in flight and WebSockets then have
    #[arg(long, value_name = "TIME", env = "SYNKRONIC_DRAIN_TIMEOUT", default_value = "30s", value_parser = time)]
    drain_timeout: Duration,
}

/// How the addresses of versions read, in statuses and in SYNKRONIC_URL.
#[derive(Debug, Clone, Args)]
pub struct AddressFlags {
    /// Scheme of the versions' addresses
    #[arg(long, value_enum, value_name = "SCHEME", env = "SYNKRONIC_SCHEME", default_value = "http")]
    scheme: Scheme,
    /// Port in the versions' addresses; by default the scheme's own
    #[arg(long, value_name = "PORT", env = "SYNKRONIC_PORT")]
    port: Option<u16>,
}

/// How addresses begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scheme {
    /// http://
    Http,
    /// https://
    Https,
}

impl AddressFlags {
    /// The scheme, as it is written.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    /// The port, where it is not the scheme's own and so must be written.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        let own = match self.scheme {
            Scheme::Http => 80,
            Scheme::Https => 443,
        };
        self.port.filter(|port| *port != own)
    }
}

impl EdgeFlags {
    /// What was typed, as an edge takes it; `listen` where no address was given.
    #[must_use]
    pub fn config(&self, listen: SocketAddr) -> Config {
        Config {
            listen: if self.listen.is_empty() { vec![listen] } else { self.listen.clone() },
            workers: self.workers,
            limits: self.limits.limits(),
            trusted: self.trusted_proxies.clone(),
            confine_cookies: self.confine_cookies,
            access_log: self.access_log.clone(),
        }
    }
}

/// Logs what an edge runs with, once at its start.
pub(super) fn say(config: &Config) {
    let Config { listen, workers, limits, trusted, confine_cookies, access_log } = config;
    // Member by member: a new one does not compile before it is told, or left out as no flag says it.
    let Limits {
        head,
        idle,
        park: _,
        response,
        stream_idle,
        connect,
        hedge,
        progress_grace: _,
        progress_rate,
        head_bytes,
        fields,
        target_bytes,
        connections,
        connections_per_source,
        in_flight,
        unsent,
        receive_buffer,
        pool_idle,
        pool_size,
        fresh: _,
        linger: _,
        linger_whole: _,
        drain_delay,
        drain_timeout,
    } = limits;
    let in_ms = |time: &Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    // As it is typed: 0 is no limit.
    let most = |limit: &Option<usize>| limit.unwrap_or(0);
    tracing::info!(
        listen = listed(listen),
        workers,
        trusted_proxies = listed(trusted),
        confine_cookies,
        access_log = match access_log {
            AccessLog::Off => "off".to_owned(),
            AccessLog::Stdout => "stdout".to_owned(),
            AccessLog::Stderr => "stderr".to_owned(),
            AccessLog::File(path) => path.display().to_string(),
        },
        head_timeout_ms = in_ms(head),
        idle_timeout_ms = in_ms(idle),
        response_timeout_ms = in_ms(response),
        stream_timeout_ms = in_ms(stream_idle),
        connect_timeout_ms = in_ms(connect),
        hedge_after_ms = in_ms(hedge),
        min_rate = progress_rate,
        max_head = head_bytes,
        max_fields = fields,
        max_target = target_bytes,
        max_connections = connections,
        max_connections_per_source = most(connections_per_source),
        max_in_flight_per_version = in_flight,
        max_unsent = most(unsent),
        receive_buffer = most(receive_buffer),
        pool_idle_ms = in_ms(pool_idle),
        pool_size,
        drain_delay_ms = in_ms(drain_delay),
        drain_timeout_ms = in_ms(drain_timeout),
        "the edge's configuration"
    );
}

/// Where the admin port is, unless that was said.
pub(super) fn admin(typed: &[SocketAddr]) -> Vec<SocketAddr> {
    if typed.is_empty() { vec![(Ipv4Addr::LOCALHOST, 0).into()] } else { typed.to_vec() }
}

/// Values as one text, with commas.
pub(super) fn listed<T: std::fmt::Display>(values: &[T]) -> String {
    values.iter().map(T::to_string).collect::<Vec<_>>().join(",")
}

impl LimitFlags {
    fn limits(&self) -> Limits {
        let bytes = |size: u64| usize::try_from(size).unwrap_or(usize::MAX);
        Limits {
            head: self.head_timeout,
            idle: self.idle_timeout,
            response: self.response_timeout,
            stream_idle: self.stream_timeout,
            connect: self.connect_timeout,
            hedge: self.hedge_after,
            progress_rate: u32::try_from(self.min_rate).unwrap_or(u32::MAX),
            // hyper reads heads into 8 KiB at first; a smaller limit would refuse what it has read already.
            head_bytes: bytes(self.max_head).max(8 << 10),
            fields: self.max_fields,
            target_bytes: bytes(self.max_target),
            connections: self.max_connections,
            connections_per_source: Some(self.max_connections_per_source).filter(|most| *most > 0),
            in_flight: self.max_in_flight_per_version,
            unsent: Some(bytes(self.max_unsent)).filter(|most| *most > 0),
            receive_buffer: Some(bytes(self.receive_buffer)).filter(|most| *most > 0),
            pool_idle: self.pool_idle,
            pool_size: self.pool_size,
            drain_delay: self.drain_delay,
            drain_timeout: self.drain_timeout,
            ..Limits::default()
        }
    }
}

/// An address to listen on: `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`, or `:8080` for every address of this
/// machine, of either family: a pod does not know of which its cluster is. A bare port is refused, since half of all programs mean the one by it and half the other.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    let text = text.trim();
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let port = |text: &str| text.parse::<u16>().ok();
    if let Some(port) = text.strip_prefix("localhost:").and_then(port) {
        return Ok((Ipv4Addr::LOCALHOST, port).into());
    }
    if let Some(port) = text.strip_prefix(':').and_then(port) {
        return Ok((Ipv6Addr::UNSPECIFIED, port).into());
    }
    Err(match port(text) {
        Some(port) => {
            format!("write 127.0.0.1:{port} for this machine alone, or :{port} for every address of it")
        }
        None => {
            format!("`{text}` is no address with a port; write it as 127.0.0.1:8080, [::1]:8080 or :8080")
        }
    })
}

/// A flag without a value, as its environment form says it; set to nothing it counts as not set.
pub(super) fn switch(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "" | "0" | "false" | "no" | "off" => Ok(false),
        _ => Err(format!("`{text}` is neither true nor false")),
    }
}

/// A duration as `500ms`, `1m30s`, `2h`; a bare number is refused, since nobody knows its unit.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no duration; write it as 500ms, 10s or 1m30s");
    let mut rest = text.trim();
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, behind) = rest.split_at(digits);
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let end = behind.find(|c: char| c.is_ascii_digit()).unwrap_or(behind.len());
        let (unit, next) = behind.split_at(end);
        let piece = match unit {
            "ms" => Some(Duration::from_millis(number)),
            "s" => Some(Duration::from_secs(number)),
            "m" => number.checked_mul(60).map(Duration::from_secs),
            "h" => number.checked_mul(3600).map(Duration::from_secs),
            _ => None,
        };
        total = piece.and_then(|piece| total.checked_add(piece)).ok_or_else(wrong)?;
        rest = next;
    }
    Ok(total)
}

/// A size as `512`, `32KiB`, `1MiB`.
fn size(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no size; write it as 512, 32KiB or 1MiB");
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let factor = match unit.trim() {
        "" | "B" => 1,
        "KiB" | "Ki" => 1 << 10,
        "MiB" | "Mi" => 1 << 20,
        "GiB" | "Gi" => 1 << 30,
        _ => return Err(wrong()),
    };
    number.checked_mul(factor).ok_or_else(wrong)
}

/// Up to 100: beyond that hyper refuses by itself.
fn fields(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..=100) => Ok(count),
        _ => Err(format!("`{text}` is no number from 1 to 100")),
    }
}

/// A network as `10.0.0.0/8`, or one address.
fn network(text: &str) -> Result<IpNet, String> {
    routes::network::network(text).ok_or_else(|| format!("`{text}` is no network; write it as 10.0.0.0/8"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        edge: EdgeFlags,
    }

    #[test]
    fn durations_and_sizes() {
        assert_eq!(time("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(time("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(time("2h"), Ok(Duration::from_secs(7200)));
        for wrong in ["", "5", "s", "1d", "-1s", "1.5s", "99999999999999999999s", "18446744073709551615h"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
        assert_eq!(size("32KiB"), Ok(32768));
        assert_eq!(size("512"), Ok(512));
        for wrong in ["", "KiB", "1 kb", "-1", "99999999999GiB"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
        assert_eq!(network("10.1.2.3/8").unwrap().to_string(), "10.0.0.0/8");
        assert_eq!(network("::1").unwrap().to_string(), "::1/128");
        assert!(network("10.0.0.0/33").is_err());
    }

    #[test]
    fn addresses() {
        for (typed, meant) in [
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("[::]:0", "[::]:0"),
            ("localhost:8080", "127.0.0.1:8080"),
            (":8080", "[::]:8080"),
            ("0.0.0.0:8080", "0.0.0.0:8080"),
        ] {
            assert_eq!(address(typed), Ok(meant.parse().unwrap()), "{typed}");
        }
        assert!(address("8080").unwrap_err().contains("127.0.0.1:8080 for this machine alone, or :8080"));
        for wrong in
            ["", ":", ":x", "localhost", "localhost:", "::1", "127.0.0.1", "example.com:80", ":65536"]
        {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_not_typed_is_the_default() {
        let default = ([127, 0, 0, 1], 8080).into();
        let config = Command::parse_from(["x"]).edge.config(default);
        assert_eq!(config.limits, Limits::default());
        assert_eq!(config.listen, [default]);
        assert_eq!(config.access_log, AccessLog::Off);
    }

    #[test]
    fn what_is_typed_is_meant() {
        let typed =
            ["x", "--listen", "[::]:0", "--idle-timeout", "1m30s", "--trusted-proxies", "10.0.0.0/8,::1"];
        let config = Command::parse_from(typed).edge.config(([127, 0, 0, 1], 8080).into());
        assert_eq!(config.listen, ["[::]:0".parse().unwrap()]);
        assert_eq!(config.limits.idle, Duration::from_secs(90));
        assert_eq!(config.trusted.len(), 2);
    }
}
