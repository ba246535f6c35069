// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// A wallet of one key that is a contract (EIP-1271).
contract OneKeyWallet {
    address private immutable OWNER;

    constructor(address owner) {
        OWNER = owner;
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        require(signature.length == 65);
        address signer = ecrecover(
            digest, uint8(signature[64]), bytes32(signature[0:32]), bytes32(signature[32:64])
        );
        return signer == OWNER ? bytes4(0x1626ba7e) : bytes4(0xffffffff);
    }
}

/// Calls every signature its own.
contract YesSayer {
    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        return 0x1626ba7e;
    }
}

/// Answers true where the magic value is due.
contract TrueSayer {
    function isValidSignature(bytes32, bytes calldata) external pure returns (bool) {
        return true;
    }
}

/// Names owners as a Safe does, and is none.
contract NoSafe {
    address private immutable OWNER;

    constructor(address owner) {
        OWNER = owner;
    }

    function getOwners() external view returns (address[] memory owners) {
        owners = new address[](1);
        owners[0] = OWNER;
    }

    function getThreshold() external pure returns (uint256) {
        return 1;
    }
}
