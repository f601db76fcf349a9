//! What the watch knows, a line an item, for the state in the log.

use std::fmt;
use std::time::Duration;

use super::snapshot::{GroupSnapshot, MemberSnapshot, RouteSnapshot, Snapshot, TargetSnapshot};

impl fmt::Display for Snapshot {
    /// key=value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.routes.iter().try_for_each(|route| write_route(f, route))?;
        self.groups.iter().try_for_each(|group| write_group(f, group))
    }
}

fn write_route(f: &mut fmt::Formatter<'_>, route: &RouteSnapshot) -> fmt::Result {
    let (prefix, table) = (route.destination.prefix, route.destination.table);
    writeln!(f, "dump-route to={prefix} table={table} all-silent={}", route.all_silent)?;
    for hop in &route.hops {
        write!(f, "dump-next-hop to={prefix} table={table} interface={}", hop.interface)?;
        hop.via.iter().try_for_each(|via| write!(f, " via={via}"))?;
        writeln!(
            f,
            " rank={} weight={} state={} in-use={} penalty={:.0} reason=\"{}\"",
            hop.rank, hop.weight, hop.state, hop.in_use, hop.penalty, hop.reason
        )?;
        for target in &hop.targets {
            write_target(f, &hop.interface, target)?;
        }
    }
    Ok(())
}

fn write_group(f: &mut fmt::Formatter<'_>, group: &GroupSnapshot) -> fmt::Result {
    write!(f, "dump-group group=\"{}\" state={}", group.name, group.state)?;
    group.detection_time.iter().try_for_each(|time| write!(f, " detection-time={}", Seconds(*time)))?;
    writeln!(f)?;
    group.members.iter().try_for_each(|member| write_member(f, &group.name, member))
}

fn write_member(f: &mut fmt::Formatter<'_>, group: &str, member: &MemberSnapshot) -> fmt::Result {
    write!(
        f,
        "dump-member group=\"{group}\" interface={} state={} link={} probes={} active={} standby={} inactive={}",
        member.interface,
        member.state,
        member.link,
        member.probing,
        member.active,
        member.standby,
        member.inactive
    )?;
    member.taken_over_by.iter().try_for_each(|name| write!(f, " taken-over-by={name}"))?;
    writeln!(f)?;
    for instance in &member.instances {
        write!(
            f,
            "dump-probing interface={} family={} targets={}",
            member.interface, instance.family, instance.mode
        )?;
        instance.test_address.iter().try_for_each(|address| write!(f, " test-address={address}"))?;
        writeln!(f)?;
        for target in &instance.targets {
            write_target(f, &member.interface, target)?;
        }
    }
    Ok(())
}

fn write_target(f: &mut fmt::Formatter<'_>, interface: &str, target: &TargetSnapshot) -> fmt::Result {
    let TargetSnapshot { missed, good, .. } = target;
    write!(
        f,
        "dump-target interface={interface} address={} method={} state={} missed={missed} good={good}",
        target.address, target.method, target.state
    )?;
    target.loss_percent.iter().try_for_each(|loss| write!(f, " loss={loss}%"))?;
    target.round_trip.iter().try_for_each(|time| write!(f, " rtt={}", Seconds(*time)))?;
    target.answered.iter().try_for_each(|ago| write!(f, " answered-ago={}", Seconds(*ago)))?;
    writeln!(f)
}

struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6}s", self.0.as_secs_f64())
    }
}
