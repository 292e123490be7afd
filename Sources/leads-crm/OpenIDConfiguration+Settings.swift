import OpenID

extension OpenIDConfiguration {
    /// The provider that the settings name; nil when they name none.
    /// - Parameter path: where it sends people back to, behind the first public URL.
    static func given(redirectPath path: String) throws(SettingError) -> OpenIDConfiguration? {
        let issuer = Setting.openIDIssuer.value
        guard !issuer.isEmpty else { return nil }
        guard var home = Setting.publicURL.list.first else {
            throw SettingError("\(Setting.openIDIssuer.name) needs \(Setting.publicURL.name), to send people back to")
        }
        if home.hasSuffix("/") { home.removeLast() }
        let roles = try Setting.openIDRoles.pairs()
        do throws(OpenIDError) {
            return try OpenIDConfiguration(
                issuer: issuer, clientID: Setting.openIDClientID.value,
                clientSecret: Setting.openIDClientSecret.optional, redirectURL: home + path,
                roleClaim: Setting.openIDRoleClaim.optional, roles: roles)
        } catch {
            switch error {
            case .misconfigured(.clientID):
                throw SettingError("\(Setting.openIDIssuer.name) needs \(Setting.openIDClientID.name)")
            case .misconfigured(.redirectURL):
                throw SettingError(
                    "\(Setting.publicURL.name) must be of https, or of this machine, for people to be sent back to")
            default:
                throw SettingError(
                    "\(Setting.openIDIssuer.name) must be like https://login.example, with nothing behind its path")
            }
        }
    }
}
