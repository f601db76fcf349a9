//! The least that adding routes can take: raw netlink messages, 64 a send, the last of each acknowledged. The measure
//! for faild in `scripts/bench`.
//!
//! ```text
//! batch COUNT GATEWAY INTERFACE-INDEX       adds COUNT routes 10.100.0.0/24 and following, metric 5, protocol 250
//! ```

use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::time::Duration;

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

#[path = "../tests/lab/clock.rs"]
#[expect(dead_code, reason = "nothing is waited for here")]
mod clock;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(took) => {
            let line = writeln!(io::stdout(), "{:.1}", took.as_secs_f64() * 1000.0);
            line.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
        }
        Err(error) => {
            eprintln!("batch: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> io::Result<Duration> {
    let usage = || io::Error::other("usage: batch COUNT GATEWAY INTERFACE-INDEX");
    let [count, gateway, index] = arguments else { return Err(usage()) };
    let count: u32 = count.parse().map_err(|_| usage())?;
    let gateway: Ipv4Addr = gateway.parse().map_err(|_| usage())?;
    let index: u32 = index.parse().map_err(|_| usage())?;
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let numbers: Vec<u32> = (0..count).collect();
    let start = clock::now();
    for chunk in numbers.chunks(BATCH) {
        let last = chunk.len() - 1;
        let messages = chunk.iter().enumerate();
        let batch: Vec<u8> = messages.flat_map(|(at, n)| message(*n, gateway, index, at == last)).collect();
        socket.send(&batch, 0)?;
        check(&socket.recv_from_full()?.0)?;
    }
    Ok(clock::now() - start)
}

/// RTM_NEWROUTE for one prefix (rtnetlink(7)).
fn message(number: u32, gateway: Ipv4Addr, index: u32, acknowledge: bool) -> Vec<u8> {
    let prefix = u32::from(Ipv4Addr::new(10, 100, 0, 0)) + (number << 8);
    let attributes: [(u16, [u8; 4]); 4] = [
        (RTA_DST, prefix.to_be_bytes()),
        (RTA_OIF, index.to_ne_bytes()),
        (RTA_GATEWAY, gateway.octets()),
        (RTA_PRIORITY, 5_u32.to_ne_bytes()),
    ];
    let mut body = vec![AF_INET, 24, 0, 0, RT_TABLE_MAIN, 250, 0, RTN_UNICAST, 0, 0, 0, 0];
    for (kind, value) in attributes {
        body.extend([8_u16.to_ne_bytes(), kind.to_ne_bytes()].concat());
        body.extend(value);
    }
    let flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL | if acknowledge { NLM_F_ACK } else { 0 };
    let length = HEADER + u32::try_from(body.len()).unwrap_or_default();
    let mut message = length.to_ne_bytes().to_vec();
    message.extend([RTM_NEWROUTE.to_ne_bytes(), flags.to_ne_bytes()].concat());
    message.extend([number.to_ne_bytes(), [0; 4]].concat());
    message.extend(body);
    message
}

/// The kernel's answer: an error of 0.
fn check(answer: &[u8]) -> io::Result<()> {
    let code = answer.get(16..20).and_then(|bytes| bytes.try_into().ok()).map_or(-1, i32::from_ne_bytes);
    if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(-code)) }
}

const BATCH: usize = 64;
/// Length of a netlink header.
const HEADER: u32 = 16;
const AF_INET: u8 = 2;
const RT_TABLE_MAIN: u8 = 254;
const RTN_UNICAST: u8 = 1;
const RTM_NEWROUTE: u16 = 24;
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_ACK: u16 = 0x4;
const NLM_F_EXCL: u16 = 0x200;
const NLM_F_CREATE: u16 = 0x400;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
