//! What faild does to addresses: it parks on `lo` those that interfaces lost, puts them back, and makes test addresses.

pub(super) mod parking;
pub(super) mod test_address;
