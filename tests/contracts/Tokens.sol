// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Units} from "./Units.sol";

/// Its issuer can take what an address holds, and says so by an event of its own, without a Transfer.
contract SeizableToken is Units {
    event DestroyedBlackFunds(address blackListedUser, uint256 balance);

    constructor() Units("SZT", 6) {}

    function destroyBlackFunds(address user) external {
        uint256 held = balanceOf[user];
        balanceOf[user] = 0;
        emit DestroyedBlackFunds(user, held);
    }
}

/// Anyone may hand in an allowance that the owner signed (EIP-2612).
contract PermitToken is Units {
    bytes32 private constant PERMIT =
        keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
    mapping(address => uint256) public nonces;

    error WrongSignature();

    constructor() Units("PMT", 6) {}

    function DOMAIN_SEPARATOR() public view returns (bytes32) {
        bytes32 form = keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
        return keccak256(abi.encode(form, keccak256("PMT"), keccak256("1"), block.chainid, address(this)));
    }

    function permit(
        address owner, address spender, uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s
    ) external {
        bytes32 said = keccak256(abi.encode(PERMIT, owner, spender, value, nonces[owner]++, deadline));
        bytes32 digest = keccak256(abi.encodePacked("\x19\x01", DOMAIN_SEPARATOR(), said));
        require(block.timestamp <= deadline && ecrecover(digest, v, r, s) == owner, WrongSignature());
        _approve(owner, spender, value);
    }
}

/// Takes one unit in a hundred of every transfer. Quiet: its events tell what left, and the receiver gets less
/// than they say. Loud: they tell both parts, what arrives and what the collector gets.
contract FeeToken is Units {
    address public constant COLLECTOR = address(0xFee);
    bool public immutable loud;

    constructor(bool loud_) Units(loud_ ? "LFT" : "QFT", 6) {
        loud = loud_;
    }

    function _move(address from, address to, uint256 value) internal override {
        uint256 fee = value / 100;
        balanceOf[from] -= value;
        balanceOf[to] += value - fee;
        balanceOf[COLLECTOR] += fee;
        emit Transfer(from, to, loud ? value - fee : value);
        if (loud) emit Transfer(from, COLLECTOR, fee);
    }
}

interface Hook {
    function tokensReceived(address from, uint256 value) external;
}

/// Calls a receiver that is a contract, in the way of ERC-777, before the sender's call has ended.
contract HookToken is Units {
    constructor() Units("HKT", 6) {}

    function _move(address from, address to, uint256 value) internal override {
        super._move(from, to, value);
        if (to.code.length > 0) Hook(to).tokensReceived(from, value);
    }
}

/// Holds its ledger in shares of a pool whose size changes, as stETH does: a rebase changes every balance and tells
/// no account; transfers are told in units and in shares.
contract ShareToken {
    event Transfer(address indexed from, address indexed to, uint256 value);
    event TransferShares(address indexed from, address indexed to, uint256 sharesValue);
    event SharesBurnt(address indexed account, uint256 preRebase, uint256 postRebase, uint256 sharesAmount);

    string public constant symbol = "SHT";
    uint8 public constant decimals = 18;
    uint256 public totalShares;
    uint256 public pooled;
    mapping(address => uint256) public sharesOf;

    function submit(address to, uint256 shares) external {
        sharesOf[to] += shares;
        totalShares += shares;
        pooled += shares;
        _told(address(0), to, shares);
    }

    function rebase(uint256 pooled_) external {
        pooled = pooled_;
    }

    function balanceOf(address holder) external view returns (uint256) {
        return units(sharesOf[holder]);
    }

    function units(uint256 shares) public view returns (uint256) {
        return (shares * pooled) / totalShares;
    }

    function transferShares(address to, uint256 shares) external {
        sharesOf[msg.sender] -= shares;
        sharesOf[to] += shares;
        _told(msg.sender, to, shares);
    }

    function burn(address from, uint256 shares) external {
        uint256 before = units(shares);
        sharesOf[from] -= shares;
        totalShares -= shares;
        emit SharesBurnt(from, before, units(shares), shares);
    }

    /// What a faulty upgrade or a malicious owner could do: shares change hands and no event tells it.
    function steal(address from, address to, uint256 shares) external {
        sharesOf[from] -= shares;
        sharesOf[to] += shares;
    }

    function _told(address from, address to, uint256 shares) private {
        emit Transfer(from, to, units(shares));
        emit TransferShares(from, to, shares);
    }
}

/// The native asset as a token, as WETH9 does it: wrapping and unwrapping have events of their own.
contract WrappedEther is Units {
    event Deposit(address indexed dst, uint256 wad);
    event Withdrawal(address indexed src, uint256 wad);

    error NotPaid();

    constructor() Units("WETH", 18) {}

    receive() external payable {
        deposit();
    }

    function deposit() public payable {
        balanceOf[msg.sender] += msg.value;
        emit Deposit(msg.sender, msg.value);
    }

    function withdraw(uint256 wad) external {
        balanceOf[msg.sender] -= wad;
        emit Withdrawal(msg.sender, wad);
        (bool paid,) = msg.sender.call{value: wad}("");
        require(paid, NotPaid());
    }
}

/// No token at all: it tells of transfers that never were.
contract FakeToken {
    event Transfer(address indexed from, address indexed to, uint256 value);

    string public constant symbol = "USDT";
    uint8 public constant decimals = 6;

    function tell(address from, address to, uint256 value) external {
        emit Transfer(from, to, value);
    }
}

/// Points to the code of another token (EIP-1967), which anyone here may exchange; the ledger of units stays.
contract TokenProxy {
    bytes32 private constant IMPLEMENTATION = 0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc;

    constructor(address implementation) {
        upgradeTo(implementation);
    }

    function upgradeTo(address implementation) public {
        assembly {
            sstore(IMPLEMENTATION, implementation)
        }
    }

    fallback() external {
        assembly {
            calldatacopy(0, 0, calldatasize())
            let done := delegatecall(gas(), sload(IMPLEMENTATION), 0, calldatasize(), 0, 0)
            returndatacopy(0, 0, returndatasize())
            switch done
            case 0 { revert(0, returndatasize()) }
            default { return(0, returndatasize()) }
        }
    }
}
