// @ts-check
/**
 * The browser's side of authx: keeps a user logged in, in every tab, without a token that outlives the page.
 *
 * Refresh tokens stay in HttpOnly cookies. Access tokens are in cookies too, or in the memory of this module; no
 * token is ever put into localStorage, sessionStorage or a URL. localStorage holds the retry key of a refresh that has
 * not finished, which is worth nothing without the cookie. Needs nothing else, and no secure context.
 *
 * @module authx
 */

/** @typedef {import('./authx').AuthClient} AuthClient */
/** @typedef {import('./authx').AuthClientOptions} Options */
/** @typedef {import('./authx').Session} Session */
/** @typedef {'access' | 'refresh'} Kind */

/**
 * What is known of the session, in this tab and, by messages, in all others.
 *
 * @typedef {object} Held
 * @property {number} at When it was received, in milliseconds: orders what the tabs tell each other.
 * @property {string} [token] The access token, where it travels in a header.
 * @property {number} life How long the access token lasts in all, in milliseconds.
 * @property {number} until When it ends; both are infinite if that is not known.
 * @property {Record<Kind, string | undefined>} csrf The values to send with unsafe requests.
 * @property {Session} session What the page gets to see.
 */

/**
 * Why there are no new tokens.
 *
 * @typedef {object} Failure
 * @property {Response} [response] The refusal.
 * @property {string} [action] What it says to do.
 * @property {unknown} [error] What happened to the request.
 * @property {number} after Milliseconds after which to try again.
 */

/** The settings of the application that serves this file: its router writes them here. @type {Options} */
const served = /* settings */ {}

/** How long a tab that asks the others waits for an answer, in milliseconds. */
const ASK = 80
/** How long the lock is kept after news went out, so that they arrive before the next tab has it. */
const SETTLE = 120

/** A login, logout or question that was refused. */
export class AuthError extends Error {
  /**
   * @param {Response} response
   * @param {{ message?: string, code?: string, action?: string }} body
   */
  constructor({ status }, { message, code, action }) {
    super(message ?? `the server answered ${status}`)
    Object.assign(this, { name: 'AuthError', status, code, action })
  }
}

/** @template T @param {Promise<T>} work @param {AbortSignal} signal Ends the waiting, not the work. @returns {Promise<T>} */
const wait = (work, signal) =>
  new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason)
    work.then(resolve, reject)
    // Such a signal is of one request or one wait, and takes its listeners with it.
    signal.addEventListener('abort', stop)
    if (signal.aborted) stop()
  })

/** @param {number} ms @returns {Promise<void>} */
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** @param {Response} response @returns {Promise<any>} The body of a refusal that says what to do; else an empty object. */
const refusal = async (response) => {
  const isJson = !response.ok && response.headers.get('content-type')?.includes('json')
  return (isJson && (await response.clone().json().catch(() => 0))) || {}
}

/** @param {Response | Promise<Response>} answer @returns {Promise<Response>} An answer that is no refusal. */
const granted = async (answer) => {
  const response = await answer
  if (response.ok) return response
  throw new AuthError(response, await refusal(response))
}

/** @param {Response} response @returns {number} Milliseconds (RFC 9110 section 10.2.3); a second if it does not say. */
const retryAfter = (response) => {
  const value = response.headers.get('retry-after') ?? '1'
  const ms = +value * 1000
  return Math.max(0, ms >= 0 ? ms : Date.parse(value) - Date.now() || 1000)
}

/** @param {string} [token] @returns {Session['claims']} What a token says; nothing about it is verified. */
const claimsOf = (token) => {
  try {
    const text = atob(/** @type {string} */ (token).split('.')[1].replace(/-/g, '+').replace(/_/g, '/'))
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(text, (letter) => letter.charCodeAt(0))))
  } catch {
    return null
  }
}

/**
 * Do something that no other tab does at the same time.
 *
 * @param {string} name
 * @param {number} lease Milliseconds after which the work cannot be under way any more: its tab was killed, or hangs.
 * @param {() => Promise<void>} work
 * @param {AbortSignal[]} signals End the waiting, not the work.
 * @returns {Promise<void>}
 */
const exclusively = async (name, lease, work, ...signals) => {
  const signal = AbortSignal.any([AbortSignal.timeout(2 * lease), ...signals])
  // There are no locks outside of secure contexts.
  if (navigator.locks) return navigator.locks.request(name, { signal }, work)
  const mine = '' + Math.random()
  /** @type {Storage | undefined} */
  let storage
  const owner = () => {
    const [id, since] = (storage?.[name] ?? '').split(' ')
    // The clock may have been set back since.
    return Math.abs(Date.now() - since) < lease ? id : ''
  }
  const free = () => {
    if (owner() === mine) delete storage?.[name]
  }
  // As locks do: the next page must not wait for one that was left or reloaded.
  addEventListener('pagehide', free)
  try {
    try {
      storage = localStorage
      // Of those who write at the same moment the last one has it, and all have written when it looks again.
      while (owner() !== mine) {
        if (!owner()) storage[name] = `${mine} ${Date.now()}`
        await wait(sleep(50 + 50 * Math.random()), signal)
      }
    } catch (error) {
      // Else the storage is full or forbidden: there is nothing that the tabs share.
      if (signal.aborted) throw error
    }
    await work()
  } finally {
    free()
    removeEventListener('pagehide', free)
  }
}

/**
 * Make a client. A page needs one; the clients of all tabs of a browser act as one.
 *
 * @param {Options} [options]
 * @returns {AuthClient}
 */
export const createAuthClient = (options) => {
  const {
    base: place = '/auth',
    origins = [],
    header = 'Authorization',
    scheme = 'Bearer',
    csrfHeaders = { access: 'X-CSRF-TOKEN', refresh: 'X-CSRF-TOKEN' },
    csrfCookies = { access: 'csrf_access_token', refresh: 'csrf_refresh_token' },
    csrfMethods = ['POST', 'PUT', 'PATCH', 'DELETE'],
    accessCookie = true,
    csrfReadable = false,
    retryHeader = 'Idempotency-Key',
    timeout = 10_000,
    maxRetries = 3,
    maxRetryWait = 30_000,
    fetch: transport = (/** @type {Request} */ request) => fetch(request),
  } = { ...served, ...options }
  const paths = { login: 'login', refresh: 'refresh', logout: 'logout', logoutAll: 'logout/all', ...served.paths, ...options?.paths }
  const page = self.document
  const base = new URL(place.replace(/\/*$/, '/'), page?.baseURI ?? location.href)
  const isOwn = base.origin === self.origin
  const name = `authx:${base}`
  const slot = name + ':attempt'
  const trusted = [base, ...origins].map((url) => new URL(url).origin)
  /** @type {Set<Parameters<AuthClient['onChange']>[0]>} */
  const listeners = new Set()
  const gone = new AbortController()
  const channel = new BroadcastChannel(name)

  /** `undefined`: not known yet; `null`: logged out. @type {Held | null | undefined} */
  let held
  /** When that began, for all tabs. */
  let latest = 0
  let dueAt = Infinity
  /** How often the refresh of now has failed: while it has, the server may have done its work. */
  let failures = 0
  /** The retry key of that refresh, where the tabs cannot share one. */
  let attempt = ''
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer
  /** @type {Promise<Failure | null> | null} */
  let refreshing = null
  /** Aborted when the session changes, whoever changed it. */
  let news = new AbortController()

  // What is known, here and in the other tabs

  /** @param {object} message */
  const tell = (message) => channel.postMessage(message)

  /** @param {Held | null} next @param {string} why */
  const become = (next, why) => {
    // A listener that throws stops neither the others nor us.
    if (next !== held)
      listeners.forEach((listener) => queueMicrotask(() => listeners.has(listener) && listener(next && next.session, why)))
    held = next
    failures = 0
    attempt = ''
    news.abort()
    news = new AbortController()
    // Not all tabs at the same moment: the first one refreshes for all.
    if (next) {
      latest = next.at
      dueAt = next.until - Math.min(next.life / 5, 60_000) - Math.random() * Math.min(next.life / 10, 30_000)
      arm(dueAt - Date.now())
    }
  }

  /** For the next refresh, another key. Needs the lock, so that no tab writes it back. */
  const forgetKey = () => {
    try {
      delete localStorage[slot]
    } catch {
      // Forbidden: there is none.
    }
  }

  /** @param {string} [why] @param {number} [at] When that was found, if it was without the lock. */
  const end = (why = 'logout', at) => {
    if (!at) forgetKey()
    latest = Math.max(latest, at || Date.now())
    become(null, why)
    tell({ at: latest, why })
  }

  /** @param {any} body An answer with tokens. @param {string} why @returns {Session} */
  const adopt = (body, why) => {
    const now = Date.now()
    const { access_token: token, expires_in: seconds, refresh_expires_in: rest } = body
    // Not every 200 is from the application: a hotel's login page answers so too.
    if (!accessCookie && !token) throw TypeError('no token')
    // What is shorter, or no number, must not make the timer spin.
    const life = seconds >= 1 ? seconds * 1000 : Infinity
    const session = {
      claims: claimsOf(token),
      expiresAt: seconds >= 1 ? now + life : null,
      refreshExpiresAt: rest > 0 ? now + rest * 1000 : null,
    }
    const csrf = { access: body.csrf_token, refresh: body.refresh_csrf_token }
    forgetKey()
    become({ at: Math.max(now, latest + 1), token, life, until: now + life, csrf, session }, why)
    tell({ held, why })
    return session
  }

  channel.onmessage = ({ data: { at, held: theirs, why } }) => {
    if (theirs) theirs.at > latest && become(theirs, why)
    else if (!at) held && tell({ held, why: 'refresh' })
    else if (at >= latest) {
      latest = at
      become(null, why)
    }
  }

  // Requests

  /** @param {Kind} kind */
  const cookie = (kind) => `; ${page?.cookie}`.split(`; ${csrfCookies[kind]}=`)[1]?.split(';')[0]

  /** @param {Kind} kind Where the router is elsewhere, a cookie of that name may be another application's. */
  const csrf = (kind) => (isOwn && cookie(kind)) || held?.csrf[kind] || cookie(kind)

  /** @param {Headers} headers @param {Kind[]} kinds */
  const prove = (headers, ...kinds) => {
    for (const kind of kinds) {
      const value = csrf(kind)
      if (value) headers.set(csrfHeaders[kind], value)
    }
  }

  /** @param {Headers} headers */
  const carry = (headers) => {
    if (held?.token) headers.set(header, `${scheme} ${held.token}`.trim())
  }

  /** @param {string} path @param {Headers} headers @param {string} [body] */
  const post = (path, headers, body) =>
    transport(
      new Request(new URL(path, base), {
        method: 'POST',
        headers,
        body,
        credentials: 'include',
        // A password, a cookie's CSRF value and a retry key are for this URL alone.
        redirect: 'error',
        // Its cookies are kept even if the page is left before the answer is there.
        keepalive: true,
        signal: AbortSignal.timeout(timeout),
      }),
    )

  // Refreshing

  /** @template T @param {() => Promise<T>} work @param {AbortSignal[]} signals @returns {Promise<T>} */
  const alone = (work, ...signals) =>
    new Promise((resolve, reject) => {
      const all = () => work().then(resolve, reject).then(() => sleep(SETTLE))
      exclusively(name, timeout + 5000, all, ...signals).catch(reject)
    })

  /** @returns {Promise<Failure | null>} One for all who wait; `null` when they can go on. */
  const refresh = () => {
    // Aborted when another tab was faster, or the session is over.
    const { signal } = news
    return (refreshing ??= alone(async () => (signal.aborted ? null : exchange()), signal)
      .catch((error) => (signal.aborted ? null : { error, after: 1000 }))
      .then((failure) => {
        refreshing = null
        if (failure && held !== null) {
          dueAt = 0
          // Without a key, the server repeats its answer for 30 seconds only: less than 20 of them may pass.
          arm(Math.max(failure.after, Math.min(1000 * 2 ** failures++, 13_000)) * (1 + Math.random() / 2))
        }
        return failure
      }))
  }

  /** @returns {Promise<Failure | null>} */
  const exchange = async () => {
    const headers = new Headers()
    prove(headers, 'refresh')
    if (retryHeader && (isOwn || options?.retryHeader)) {
      // It is the same refresh until one has succeeded, whichever tab sends it.
      const key = attempt || crypto.getRandomValues(new BigUint64Array(3)).join('')
      try {
        headers.set(retryHeader, (localStorage[slot] ||= key))
      } catch {
        // The storage is full or forbidden, or something else is in it.
        headers.set(retryHeader, (attempt = key))
      }
    }
    const response = await post(paths.refresh, headers)
    if (response.ok) {
      adopt(await response.json(), 'refresh')
      return null
    }
    const { action, code } = await refusal(response)
    if (action === 'login' && response.status < 500) end(code)
    // What is wrong with the request itself will not be right by itself.
    return { response, action, after: action === 'retry' || response.status > 499 ? retryAfter(response) : Infinity }
  }

  /** @param {number} ms */
  const arm = (ms) => {
    clearTimeout(timer)
    if (!gone.signal.aborted) timer = setTimeout(wake, Math.min(ms, 1e9))
  }

  /**
   * Refresh if it is time: a timer may be hours late after a sleep. A tab that nobody sees waits until it is seen,
   * unless it has begun.
   *
   * @param {any} [event]
   */
  const wake = (event) => {
    // A page that was kept while another one was shown has heard of no logout.
    if (event?.persisted && held) dueAt = 0
    if (held === null || (page?.hidden && !failures)) return
    dueAt > Date.now() ? arm(dueAt - Date.now()) : refresh()
  }
  for (const event of ['visibilitychange', 'focus', 'online', 'pageshow']) addEventListener(event, wake, gone)

  /** @returns {Promise<Failure | null>} Find out whether there is a session: from the other tabs, else by a refresh. */
  const know = async () => {
    if (page && isOwn && csrfReadable && !cookie('refresh')) become(null, 'none')
    else {
      tell({})
      await wait(sleep(ASK), news.signal).catch(() => 0)
    }
    return held === undefined ? refresh() : null
  }

  // What the page calls

  const session = async () => {
    const failure = held === undefined && (await know())
    if (failure && held === undefined) {
      if (failure.response) await granted(failure.response)
      throw failure.error
    }
    return held?.session ?? null
  }

  /** @type {AuthClient['login']} */
  const login = (credentials) =>
    alone(async () => {
      const headers = new Headers({ 'Content-Type': 'application/json' })
      const response = await granted(post(paths.login, headers, JSON.stringify(credentials)))
      return adopt(await response.json(), 'login')
    })

  const logout = () =>
    alone(async () => {
      const headers = new Headers()
      prove(headers, 'access', 'refresh')
      carry(headers)
      await granted(post(paths.logout, headers))
      end()
    })

  /** @type {AuthClient['logoutAll']} */
  const logoutAll = async ({ keepCurrent } = {}) => {
    const url = new URL(paths.logoutAll, base)
    if (keepCurrent) url.searchParams.set('keep_current', 'true')
    await granted(authFetch(url, { method: 'POST' }))
    if (!keepCurrent) await alone(async () => end())
  }

  /** @type {AuthClient['fetch']} */
  const authFetch = async (input, init) => {
    // Read once: what is checked is what is sent. A request whose body was used before fails here, as with fetch.
    const given = new Request(input, init)
    const { signal, credentials, referrer, referrerPolicy } = given
    const origin = new URL(given.url).origin
    if (!trusted.includes(origin) || credentials === 'omit' || given.headers.has(header)) return transport(given)
    const isUnsafe = csrfMethods.includes(given.method.toUpperCase())
    // What was read from a stream is gone.
    const isSentOnce = init?.body instanceof ReadableStream
    // Lost by a request that is made of another one, unless they are repeated.
    const kept = {
      credentials: init?.credentials ?? (input instanceof Request ? credentials : 'include'),
      referrer,
      referrerPolicy,
    }
    // Of all headers, browsers take only `Authorization` off a request that is redirected to another origin.
    /** @type {RequestInit | false} */
    const confined = origin === self.origin ? { mode: 'same-origin' } : given.redirect === 'follow' && { redirect: 'error' }
    let isRepeated = isSentOnce
    let isRefreshed = false
    let retries = isSentOnce ? 0 : maxRetries
    /** @type {Failure | null} */
    let failure = null
    const renew = async () => {
      isRefreshed = true
      failure = await wait(refresh(), signal)
    }

    for (;;) {
      if (!accessCookie && held === undefined) failure = await wait(know(), signal)
      if (held && !isRefreshed && Date.now() > held.until - Math.min(held.life / 10, 2000)) await renew()
      const sent = held
      const sentAt = sent?.at ?? Date.now()
      const proof = csrf('access')
      // Its own headers and not those of `init`, which lack what was derived from the body.
      const headers = new Headers(given.headers)
      if (isUnsafe) prove(headers, 'access')
      carry(headers)
      const isBare = headers.has(csrfHeaders.access) || (sent?.token && !/^authorization$/i.test(header))
      const copy = isSentOnce ? given : given.clone()
      let response = await transport(new Request(copy, { ...kept, ...(isBare && confined), headers }))
      let { action, code } = await wait(refusal(response), signal)
      const isRefused = response.status === 401 && /^(refresh|login)$/.test(action)
      // It may be about tokens that were replaced meanwhile, here or in another tab.
      if (!isRepeated && (isRefused || action === 'csrf') && (held !== sent || csrf('access') !== proof)) {
        isRepeated = true
        continue
      }
      if (isRefused && action === 'refresh' && !isRefreshed) {
        await renew()
        if (!failure && !isSentOnce) continue
      }
      if (isRefused && failure) {
        if (!failure.response) throw failure.error
        response = failure.response.clone()
        action = failure.action
      } else if (isRefused && action === 'login' && held === sent) end(code, sentAt)
      const after = retryAfter(response)
      if (action !== 'retry' || retries-- < 1 || after > maxRetryWait) return response
      await wait(sleep(after * (1 + Math.random() / 5)), signal)
      isRefreshed = false
      failure = null
    }
  }

  return {
    login,
    logout,
    logoutAll,
    fetch: authFetch,
    session,
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    destroy() {
      gone.abort()
      clearTimeout(timer)
      // Not closed: what is under way still has to tell the other tabs.
      channel.onmessage = null
      listeners.clear()
    },
  }
}
