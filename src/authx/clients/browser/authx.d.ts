/** Where and how the application takes tokens. A page that imports `client.js` from its router needs none of it. */
export interface AuthClientOptions {
  /** Where the router is: a path or a URL. By default where `client.js` came from, else `/auth`. */
  base?: string
  /** Further origins that may get this session's tokens, besides that of `base`. No other ever does. */
  origins?: string[]
  /** Paths of the routes, relative to `base`. */
  paths?: { login?: string; refresh?: string; logout?: string; logoutAll?: string }
  /** Header that carries the access token (`JWT_HEADER_NAME`): by default `Authorization`. */
  header?: string
  /** Scheme before the token in that header (`JWT_HEADER_TYPE`): by default `Bearer`. */
  scheme?: string
  /** Headers that carry the CSRF values: by default `X-CSRF-TOKEN` both. */
  csrfHeaders?: { access: string; refresh: string }
  /** Cookies that hold the CSRF values: by default `csrf_access_token` and `csrf_refresh_token`. */
  csrfCookies?: { access: string; refresh: string }
  /** Methods that need a CSRF value (`JWT_CSRF_METHODS`): by default POST, PUT, PATCH and DELETE. */
  csrfMethods?: string[]
  /** Whether access tokens travel in cookies, if not only there: by default `true`. */
  accessCookie?: boolean
  /** Whether no CSRF cookie of the refresh token means that nobody is logged in: by default `false`. */
  csrfReadable?: boolean
  /**
   * Header that carries the retry key of a refresh (`JWT_RETRY_KEY_HEADER`): by default `Idempotency-Key`. `null` sends
   * none. On another origin, the client sends it only if you name it here: the server's CORS settings must allow it.
   */
  retryHeader?: string | null
  /** Milliseconds after which an unanswered login, refresh or logout is given up: by default 10000. */
  timeout?: number
  /** How often a request is sent again whose answer says `retry`: by default 3 times. */
  maxRetries?: number
  /** The longest `Retry-After` that is waited for, in milliseconds: by default 30000. */
  maxRetryWait?: number
  /** What sends requests: by default the browser's `fetch`. */
  fetch?: (request: Request) => Promise<Response>
}

/** Somebody is logged in. */
export interface Session {
  /** The claims of the access token, where it is in this page's memory; nothing about them was verified here. */
  claims: Record<string, any> | null
  /** When the access token ends, in milliseconds since 1970; it is replaced before that. */
  expiresAt: number | null
  /** When the session ends unless it is refreshed, in milliseconds since 1970. */
  refreshExpiresAt: number | null
}

/**
 * A login, logout or question that was refused.
 *
 * Network failures are a `TypeError`, as `fetch` has them, and a `DOMException` named `TimeoutError` where there was no
 * answer in time.
 */
export class AuthError extends Error {
  constructor(response: Response, body: { message?: string; code?: string; action?: string })
  /** HTTP status. */
  readonly status: number
  /** Why, for programs: `credentials_invalid`, `auth_unavailable`, … */
  readonly code?: string
  /** What to do: `login`, `retry`, `csrf`, … */
  readonly action?: string
}

export interface AuthClient {
  /**
   * Log in, in all tabs.
   *
   * @param credentials Sent as JSON: `{username, password}` for the ready-made router.
   * @returns The session.
   * @throws {AuthError} The server refused; a session that was there before goes on.
   * @throws {TypeError | DOMException} It did not answer.
   */
  login(credentials: Record<string, unknown>): Promise<Session>

  /**
   * Log out on the server, and in all tabs.
   *
   * @throws {AuthError} The server could not do it (503), or refused; the session goes on.
   * @throws {TypeError | DOMException} It did not answer; the session goes on.
   */
  logout(): Promise<void>

  /**
   * Log out on all devices, or on all others.
   *
   * @param options With `keepCurrent`, this session goes on.
   * @throws {AuthError} As for `logout`.
   */
  logoutAll(options?: { keepCurrent?: boolean }): Promise<void>

  /**
   * Send a request as `fetch` does, with what proves who is asking, and obey what the answer says.
   *
   * Refreshes before the access token ends, and once where the answer asks for it; then sends the request again,
   * unless its body is a stream. Waits for `Retry-After` where the answer says `retry`. Requests to other origins,
   * those that bring the header themselves, and those with `credentials: 'omit'` are sent as they are. A request that
   * carries a CSRF value, or the token in another header than `Authorization`, follows redirects within the page's
   * origin only; others fail.
   *
   * @param input What `fetch` takes. The body of a `Request` is used up.
   * @param init What `fetch` takes; `credentials` is `include` by default. Its `signal` ends the waiting too.
   * @returns The answer; where there could be no new token, the refusal that says why.
   * @throws {TypeError | DOMException} There was no answer, to the request or to the refresh that it needed. The
   *   session goes on.
   */
  fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response>

  /**
   * Tell who is logged in; the first time it finds out, from the other tabs or by a refresh.
   *
   * @returns The session; `null` if nobody is logged in.
   * @throws {AuthError | TypeError | DOMException} It cannot be known now; nobody was logged out.
   */
  session(): Promise<Session | null>

  /**
   * Be told when somebody logs in, is given new tokens, or is logged out, in any tab.
   *
   * @param listener Gets the session, and why: `login`, `refresh`, `logout`, `none` (nobody was logged in), or the
   *   `code` with which the server ended the session, such as `session_revoked` or `refresh_reused`.
   * @returns A function that ends it.
   */
  onChange(listener: (session: Session | null, why: string) => void): () => void

  /**
   * Stop refreshing by itself, telling listeners and hearing of other tabs. What is under way ends as usual, and the
   * session goes on.
   */
  destroy(): void
}

/**
 * Make a client. A page needs one; the clients of all tabs of a browser act as one.
 *
 * @param options What differs from the application that serves the file.
 */
export const createAuthClient: (options?: AuthClientOptions) => AuthClient
