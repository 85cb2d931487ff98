//! stand-in
/// stand-in
pub trait Object: Send + Sync + 'static {
    /// s
    type Op;
    /// s
    type Ret;
}
