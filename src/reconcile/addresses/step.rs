//! What is done to addresses, step by step.

use std::net::Ipv4Addr;

use nix::errno::Errno;

use super::super::lan::LanId;
use super::test_address::test_address;
use crate::interface::{InterfaceAddress, InterfaceIndex};
use crate::operation::Operation;

/// One thing to do about an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::reconcile) enum AddressStep {
    /// An address that its interface lost is parked on `lo`.
    Park { lo: InterfaceIndex, address: InterfaceAddress, lan: LanId },
    /// A parked address is removed from `lo`.
    Unpark { lo: InterfaceIndex, address: InterfaceAddress },
    /// An address that the kernel flushed is put back.
    PutBack { interface: InterfaceIndex, address: InterfaceAddress, lan: LanId },
    /// A test address is made.
    MakeTest { interface: InterfaceIndex, address: Ipv4Addr },
    /// A test address is removed.
    RemoveTest { interface: InterfaceIndex, address: Ipv4Addr },
    /// An interface is set up.
    SetUp { interface: InterfaceIndex, lan: LanId },
}

impl AddressStep {
    pub(in crate::reconcile) fn operation(&self) -> Operation {
        match self {
            Self::Park { lo: interface, address, .. } | Self::PutBack { interface, address, .. } => {
                Operation::AddAddress { interface: *interface, address: address.clone() }
            }
            Self::Unpark { lo: interface, address } => {
                Operation::DeleteAddress { interface: *interface, address: address.clone() }
            }
            Self::MakeTest { interface, address } => {
                Operation::AddAddress { interface: *interface, address: test_address(*address) }
            }
            Self::RemoveTest { interface, address } => {
                Operation::DeleteAddress { interface: *interface, address: test_address(*address) }
            }
            Self::SetUp { interface, .. } => Operation::SetUp(*interface),
        }
    }

    /// Whether the kernel's refusal says that what was to be removed is gone already.
    pub(in crate::reconcile) const fn is_done_already(&self, errno: Errno) -> bool {
        match self {
            Self::Unpark { .. } | Self::RemoveTest { .. } => {
                matches!(errno, Errno::EADDRNOTAVAIL | Errno::ENODEV)
            }
            Self::Park { .. } | Self::PutBack { .. } | Self::MakeTest { .. } | Self::SetUp { .. } => false,
        }
    }

    /// Whether people are to hear of a refusal: not where an interface went, or another program was quicker.
    pub(in crate::reconcile) const fn is_news(&self, errno: Errno) -> bool {
        match self {
            Self::Park { .. } | Self::Unpark { .. } | Self::PutBack { .. } => {
                !matches!(errno, Errno::EEXIST | Errno::ENODEV)
            }
            Self::MakeTest { .. } | Self::RemoveTest { .. } | Self::SetUp { .. } => {
                !matches!(errno, Errno::EEXIST | Errno::ENODEV | Errno::EADDRNOTAVAIL)
            }
        }
    }
}
