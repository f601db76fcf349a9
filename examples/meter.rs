//! Traffic that measures what users of a network would have noticed of a fault: for `scripts/demo` and `scripts/bench`,
//! and for trying faild on real hosts.
//!
//! ```text
//! meter echo ADDRESS:PORT                        echoes datagrams, until it is killed
//! meter measure FROM ADDRESS:PORT SECONDS        four datagrams a millisecond; prints what was lost
//! meter receive ADDRESS:PORT                     takes one TCP connection, checks every byte; prints each stall
//! meter send FROM ADDRESS:PORT SECONDS           a steady TCP stream to `meter receive`
//! ```

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[path = "../tests/lab/clock.rs"]
#[expect(dead_code, reason = "the tests wait for more than this program does")]
mod clock;
#[path = "../tests/lab/traffic.rs"]
#[expect(dead_code, reason = "the tests keep their traffic in the background")]
mod traffic;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("meter: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> io::Result<()> {
    match words {
        ["echo", at] => traffic::echo(parse(at)?, &AtomicBool::new(false)),
        ["measure", from, to, seconds] => measure(parse(from)?, parse(to)?, parse(seconds)?),
        ["receive", at] => receive(parse(at)?),
        ["send", from, to, seconds] => send(parse(from)?, parse(to)?, parse(seconds)?),
        _ => Err(io::Error::other(
            "usage: echo AT | measure FROM TO SECONDS | receive AT | send FROM TO SECONDS",
        )),
    }
}

/// An outage is measured this much too long at most.
const GAP: Duration = Duration::from_micros(250);

fn measure(from: IpAddr, to: SocketAddr, seconds: f64) -> io::Result<()> {
    let echoes = traffic::measure(from, to, GAP, &stop_after(seconds))?;
    let (sent, lost) = (echoes.sent(), echoes.lost());
    say(&format!("sent={sent} lost={lost} outage_ms={:.1}", milliseconds(echoes.longest_outage())))
}

fn receive(at: SocketAddr) -> io::Result<()> {
    let received = traffic::download(at, |_, silence| {
        if silence > NOTICEABLE {
            // Whoever reads this may have gone; the transfer is what counts.
            let _ = say(&format!("nothing arrived for {:.0} ms, then it went on", milliseconds(silence)));
        }
    })?;
    let stall = milliseconds(received.longest_stall);
    say(&format!("bytes={} all of them right, longest_stall_ms={stall:.0}", received.bytes))
}

fn send(from: IpAddr, to: SocketAddr, seconds: f64) -> io::Result<()> {
    let sent = traffic::upload(from, to, 4096, Duration::from_millis(2), &stop_after(seconds))?;
    say(&format!("sent_bytes={sent}"))
}

/// A flag that is set after so many seconds.
fn stop_after(seconds: f64) -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    std::thread::spawn(move || {
        clock::pause(Duration::from_secs_f64(seconds.clamp(0.0, 86_400.0)));
        told.store(true, Ordering::Relaxed);
    });
    stop
}

fn parse<T: std::str::FromStr>(word: &str) -> io::Result<T> {
    word.parse().map_err(|_| io::Error::other(format!("cannot read {word}")))
}

fn say(line: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// Stalls that are worth a line: what people begin to notice.
const NOTICEABLE: Duration = Duration::from_millis(100);
