//! Where Everbeat agrees with the loop that it replaces, and where it does
//! not: every behaviour of PROTOCOL 5 and every fault of PROTOCOL 7, each with
//! the test that shows it; and side by side, without faults.

mod seed;
mod side_by_side;
mod table;
mod vitals;
