//! Public keys.

/// The key of RFC 7515, section A.2.
pub(super) const RSA_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
    MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAofgWCuLjybRlzo0tZWJj\n\
    NiuSfb4p4fAkd/wWJcyQoTbji9k0l8W26mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEz\n\
    P1Pt0Bm4d4QlL+yRT+SFd2lZS+pCgNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo\n\
    9wGzjb/7OMg0LOL+bSf63kpaSHSXndS5z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTB\n\
    EMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxX\n\
    FvUK+DWNmoudF8NAco9/h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXp\n\
    oQIDAQAB\n\
    -----END PUBLIC KEY-----";

/// The key of RFC 7515, section A.3.
pub(super) const EC_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7\n\
    6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n\
    -----END PUBLIC KEY-----";

/// An RSA key of 1024 bits, made for this test.
pub(super) const SMALL_RSA_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
    MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkY71Z+GMbg7KY9m1NhtmEJfrg\n\
    Me/jRo5234aGL60G0UCJvLSf9r199HC+Yu0EgXE4hHsCaTH5zKmdiMb8LOiq0UVl\n\
    gNbGWSWKgVM6gGMMTYClcz1AI0tXteMAnAuRleVhPj42k/gjUPZx/3lnvK6tRTRN\n\
    Q7slyfszSdBnIV4WrQIDAQAB\n\
    -----END PUBLIC KEY-----";

/// An Ed25519 key, made for this test.
pub(super) const ED_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
    MCowBQYDK2VwAyEAl1Nh/PBNQCmVb4fQABgc3iYDarzp7sttiAgkbcdpqR8=\n\
    -----END PUBLIC KEY-----";
