//! stand-in
/// stand-in
pub struct Call<Op, Ret> {
    /// s
    pub process: u32,
    /// s
    pub op: Op,
    /// s
    pub ret: Option<Ret>,
    /// s
    pub invoked: u64,
    /// s
    pub returned: Option<u64>,
    /// s
    pub line: Option<usize>,
}
/// stand-in
pub struct History<Op, Ret>(pub Vec<Call<Op, Ret>>);
impl<Op, Ret> History<Op, Ret> {
    /// s
    pub fn of(v: Vec<Call<Op, Ret>>) -> Self {
        History(v)
    }
}
